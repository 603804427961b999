# Both bases may be replaced: BUILD_BASE needs bun and a shell, BASE only glibc.
ARG BUILD_BASE=oven/bun:1.4.5-slim
ARG BASE=gcr.io/distroless/cc-debian12

FROM ${BUILD_BASE} AS build
WORKDIR /build
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production
COPY tsconfig.json ./
COPY src ./src
# One executable that reads nothing from its working directory.
RUN bun run build:program

FROM ${BASE}
COPY --from=build /build/dist/telltale /telltale
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=10s CMD ["/telltale", "health"]
ENTRYPOINT ["/telltale"]
