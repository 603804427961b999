import type { MiddlewareHandler } from "hono";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import { IncomingBody } from "./incoming-body.ts";

declare module "hono" {
  interface ContextVariableMap {
    /** The body of the request, for whoever reads it. */
    body: IncomingBody;
  }
}

/** How long a request may take to come in, from the moment its header is whole. The header itself has 12 s. */
export const REQUEST_DEADLINE_MS = 30_000;

/**
 * Bounds the time in which a request comes in, whichever route it is for and whether or not that reads the body. A line
 * on which some of a body is still to come is closed with the answer. Answers have as much time as they need.
 */
export function requestDeadline(clock: ClockPort): MiddlewareHandler {
  return async (context, next) => {
    const body = new IncomingBody(context.req.raw, clock, REQUEST_DEADLINE_MS);
    context.set("body", body);
    await next();
    if (body.announced && !(await body.discarded())) context.res.headers.set("Connection", "close");
  };
}
