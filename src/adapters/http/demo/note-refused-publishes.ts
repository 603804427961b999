import type { MiddlewareHandler } from "hono";
import type { RecentRefusals } from "../../../application/recent-refusals.ts";

interface Problem {
  readonly code?: unknown;
  readonly issues?: readonly { readonly path: readonly (string | number)[]; readonly message: string }[];
}

/** Notes each refused publish over HTTP with the reason that the publisher is told. */
export function noteRefusedPublishes(refusals: RecentRefusals): MiddlewareHandler {
  return async (context, next) => {
    await next();
    if (context.req.method !== "POST" || context.res.status !== 422) return;
    const { code, issues: [first] = [] } = (await context.res.clone().json()) as Problem;
    const fault = first === undefined ? "" : `: ${first.path.join(".") || "event"}: ${first.message}`;
    refusals.note(`analysis:${context.req.param("id")}`, `${String(code)}${fault}`);
  };
}
