import type { MiddlewareHandler } from "hono";
import type { Refusals } from "../../application/refusals.ts";
import type { TokenCheck } from "../../application/token-checks.ts";
import { parseAnalysisId } from "../../domain/channel.ts";
import type { RefusalReason } from "../../domain/refusal-reason.ts";
import { PROBLEM_CODE, TOKEN_CHECK } from "./problem.ts";

/** Notes every answer that is a problem. The path may be any text: the note has the id of an analysis from it alone. */
export function noteRefusals(refusals: Refusals): MiddlewareHandler<{
  Variables: { [PROBLEM_CODE]?: RefusalReason | "request_aborted"; [TOKEN_CHECK]?: TokenCheck };
}> {
  return async (context, next) => {
    await next();
    const code = context.get(PROBLEM_CODE);
    // A client that went away was refused nothing.
    if (code === undefined || code === "request_aborted") return;
    const analysis = parseAnalysisId(/\/analys[ie]s\/([^/]*)/.exec(context.req.path)?.[1] ?? "");
    const fields = { method: context.req.method, status: context.res.status, analysis };
    refusals.note(code, fields, context.get(TOKEN_CHECK));
  };
}
