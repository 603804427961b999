import { Hono, type MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { getPath as wholePath } from "hono/utils/url";
import {
  AccessUndecided,
  faultLevel,
  ReadAbandoned,
  RequestTooLarge,
  TooManyReads,
} from "../../application/errors.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { EventRules } from "../../domain/event-rules.ts";
import { type MountedPath, routedPath } from "../../session/mounted-path.ts";
import { isHostHeader } from "../../session/origin-policy.ts";
import { type ClientScript, clientScriptRoutes } from "./client-script-routes.ts";
import { descriptionRoutes } from "./description/description-routes.ts";
import { headersOnly } from "./head-routes.ts";
import { type HealthSources, healthRoutes } from "./health-routes.ts";
import { BodyRefused } from "./incoming-body.ts";
import { type Exposition, metricsRoutes } from "./metrics-routes.ts";
import { noteRefusals } from "./note-refusals.ts";
import { noticeRoutes } from "./notice-routes.ts";
import { brokerProblem, problem } from "./problem.ts";
import { type PublishParts, publishRoutes } from "./publish-routes.ts";
import { readCors } from "./read-access.ts";
import { type ReadParts, readRoutes } from "./read-routes.ts";
import { requestDeadline } from "./request-deadline.ts";
import { schemaRoutes } from "./schema-routes.ts";
import { manyStreamRoutes } from "./sse/many-streams.ts";
import { type WorkerParts, workerRoutes } from "./worker-routes.ts";

interface GatewayAppParts extends HealthSources, ReadParts, PublishParts, WorkerParts, MountedPath {
  readonly telemetry: TelemetryPort;
  /** The rules that events are judged by. */
  readonly rules: EventRules;
  /** The demo; undefined if it is off. */
  readonly demo: Hono | undefined;
  /** Undefined if `/metrics` is not served here. */
  readonly exposition: Exposition | undefined;
  readonly clientScript: ClientScript;
  /** The version of Telltale. */
  readonly version: string;
}

/** Tells a visitor why there is no page. In production nobody is told, since there never is one. */
const DEMO_IS_OFF = { detail: "The demo page is off; DEMO=on serves it, with tokens for whoever asks." };

/** The headers of every answer that sets no others itself, as a page does. */
const SAFE_HEADERS = {
  // The owner of the domain decides whether all of it is bound to TLS.
  strictTransportSecurity: false,
  // These are for old browsers and plug-ins, and each header costs every answer something.
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
  xDnsPrefetchControl: false,
  originAgentCluster: false,
  xFrameOptions: "DENY",
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  overwrite: false,
};

/** The app for everything that Telltale answers over plain HTTP. */
export function gatewayApp(parts: GatewayAppParts): Hono {
  const { tokens, telemetry, demo, basePath = "" } = parts;
  const getPath = pathGetter(parts);
  const app = new Hono({ getPath });
  app.use(secureHeaders(SAFE_HEADERS));
  app.use(notCached);
  app.use(lastAnswers(parts.leaving));
  app.use(noteRefusals(parts.sessions.refusals));
  app.use(requestDeadline(parts.clock, parts.pubSub));
  app.use(async (context, next) => {
    if (!isHostHeader(context.req.header("Host") ?? null)) return problem(context, "bad_host");
    return next();
  });
  // The files of a page are relative to its path, which has to end with a slash for that.
  if (basePath !== "")
    app.get(basePath, (context) =>
      context.redirect(`${wholePath(context.req.raw)}/${new URL(context.req.url).search}`, 308),
    );
  // It comes before everything that refuses, so that a page can read the reason.
  app.use("/v1/*", readCors(parts.origins));
  // It comes before any GET handler, because those read, wait or admit.
  app.use("/v1/*", headersOnly(tokens, parts.origins, getPath));
  // It comes before the routes whose answers it notes.
  if (demo !== undefined) app.route("/", demo);
  else if (parts.origins.mode === "development")
    app.get("/", (context) => problem(context, "not_found", DEMO_IS_OFF));
  app.route("/", healthRoutes(parts));
  if (parts.exposition !== undefined) app.route("/", metricsRoutes(parts.exposition));
  app.route("/v1/analyses", publishRoutes(parts));
  app.route("/v1/analyses", workerRoutes(parts));
  app.route("/v1/analyses", readRoutes(parts));
  app.route("/v1/events", manyStreamRoutes(parts));
  app.route("/v1/notices", noticeRoutes(parts));
  app.route("/schemas", schemaRoutes(parts));
  app.route("/", clientScriptRoutes(parts.clientScript));
  app.route("/", descriptionRoutes(parts));
  for (const path of ["/ws", "/ws/", "/ws/analysis/:id"])
    app.get(path, (context) => problem(context, "upgrade_required"));
  app.notFound((context) => problem(context, "not_found"));
  app.onError((error, context) => {
    const expected = brokerProblem(context, error);
    if (expected !== undefined) return expected;
    if (error instanceof AccessUndecided) {
      telemetry.log(faultLevel(error), "nobody could decide whether a request is allowed", {
        message: error.message,
      });
      return problem(context, error.code);
    }
    if (error instanceof TooManyReads) return problem(context, error.code, { detail: error.message });
    if (error instanceof RequestTooLarge) return problem(context, error.code, { detail: error.message });
    // Nobody reads this answer.
    if (error instanceof ReadAbandoned) return problem(context, "request_aborted");
    if (error instanceof BodyRefused) {
      if (error.code === "request_aborted") {
        telemetry.log("debug", "a client went away before its request was whole", {
          path: context.req.routePath,
        });
      }
      return problem(context, error.code, { detail: error.message });
    }
    telemetry.log("error", "a request could not be answered", {
      path: context.req.routePath,
      message: error.message,
    });
    return problem(context, "internal");
  });
  return app;
}

/** The path that the routes are compared with. They have nothing at `/` for a request that is not below the gateway's path. */
function pathGetter({ path, basePath = "" }: MountedPath): (request: Request) => string {
  if (path === "" && basePath === "") return wholePath;
  return (request) => routedPath({ path, basePath }, wholePath(request)) ?? "/";
}

/** Forbids caches to keep an answer, unless it sets the header itself. */
const notCached: MiddlewareHandler = async (context, next) => {
  await next();
  const { headers } = context.res;
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
};

/** Tells whoever keeps a connection to a gateway that drains to ask the next one over another. */
function lastAnswers(leaving: AbortSignal): MiddlewareHandler {
  return async (context, next) => {
    await next();
    if (leaving.aborted) context.res.headers.set("Connection", "close");
  };
}
