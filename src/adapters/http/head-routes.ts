import { Hono, type MiddlewareHandler } from "hono";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { OriginPolicy } from "../../session/origin-policy.ts";
import { problem } from "./problem.ts";
import { type Reader, requireReader, requireWatcher } from "./read-access.ts";
import { SSE_HEADERS, wantsStream } from "./sse/event-stream.ts";

/**
 * Answers HEAD itself on every path whose GET reads, waits or admits a client. hono would serve HEAD through the GET
 * handler, and it neither reads nor cancels the stream that the handler makes: each such request would stay counted for
 * good. A GET route that is not listed here answers HEAD with 404, so that a new route cannot bring the fault back.
 * `getPath` answers the path that routes are compared with.
 */
export function headersOnly(
  tokens: TokenVerifierPort,
  origins: OriginPolicy,
  getPath: (request: Request) => string,
): MiddlewareHandler {
  const heads = headRoutes(tokens, origins, getPath);
  return async (context, next) => {
    if (context.req.method !== "HEAD") return next();
    const { status, headers } = await heads.fetch(context.req.raw, context.env);
    return new Response(null, { status, headers });
  };
}

/** The headers of the answer to a GET. These routes check neither the rights to the analysis nor the query. */
function headRoutes(
  tokens: TokenVerifierPort,
  origins: OriginPolicy,
  getPath: (request: Request) => string,
): Hono<Reader> {
  const routes = new Hono<Reader>({ getPath });
  const reader = requireReader(tokens, origins);
  routes.get("/v1/analyses/:id", reader, (context) => context.body(null, 200, JSON_TYPE));
  routes.get("/v1/analyses/:id/events", reader, (context) =>
    context.body(null, 200, wantsStream(context) ? SSE_HEADERS : JSON_TYPE),
  );
  routes.get("/v1/events", requireWatcher(tokens, origins), (context) =>
    context.body(null, 200, SSE_HEADERS),
  );
  routes.notFound((context) => problem(context, "not_found"));
  // The gateway's own handler logs it and answers.
  routes.onError((error) => {
    throw error;
  });
  return routes;
}

const JSON_TYPE = { "Content-Type": "application/json" };
