import type { MiddlewareHandler } from "hono";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";
import { IncomingBody } from "./incoming-body.ts";

declare module "hono" {
  interface ContextVariableMap {
    /** The body of the request, for the route that reads it. */
    body: IncomingBody;
  }
}

/** How long a request may take to come in after its header is whole. The header itself has 12 s. */
export const REQUEST_DEADLINE_MS = 30_000;

/**
 * Bounds the bytes of a body by what the broker takes, and the time in which a request comes in, on every route, whether or not the route reads the body. If some of the
 * body is still to come, the answer closes the connection. Answers have as much time as they need.
 */
export function requestDeadline(clock: ClockPort, pubSub: Pick<PubSubPort, "mostBytes">): MiddlewareHandler {
  return async (context, next) => {
    const { mostBytes } = pubSub;
    const body = new IncomingBody(context.req.raw, clock, { mostBytes, deadlineMs: REQUEST_DEADLINE_MS });
    context.set("body", body);
    await next();
    if (body.announced && !(await body.discarded())) context.res.headers.set("Connection", "close");
  };
}
