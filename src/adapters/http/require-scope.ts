import type { Context, MiddlewareHandler } from "hono";
import type { AccessPolicy } from "../../application/access-policy.ts";
import { TokenRejected } from "../../application/errors.ts";
import { grantOf } from "../../application/grant-of.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { AccessGrant, Scope } from "../../domain/access-grant.ts";
import { type AnalysisId, parseAnalysisId } from "../../domain/channel.ts";
import { presentedGrant } from "../../session/admission.ts";
import { bearerOf } from "../../session/presented-token.ts";
import { problem, unauthenticated } from "./problem.ts";
import { requestBindings } from "./read-access.ts";

/** The grant of a request whose token has the scope of its route. */
export interface Granted {
  Variables: { grant: AccessGrant };
}

/** The same, of a request for one analysis that its token may publish to. */
export interface Publisher {
  Variables: { grant: AccessGrant; analysisId: AnalysisId };
}

/** Lets a request through if its bearer token has `scope`. Its grant is then `context.var.grant`. */
export function requireScope(tokens: TokenVerifierPort, scope: Scope): MiddlewareHandler<Granted> {
  return async (context, next) => {
    const grant = await publisherGrant(context, tokens);
    if (grant instanceof TokenRejected) return unauthenticated(context, grant);
    if (!grant.hasScope(scope)) return scopeMissing(context, scope, grant);
    context.set("grant", grant);
    await next();
    return undefined;
  };
}

/** Lets a request through if its token may publish to the analysis `:id` of the path. It runs after `requireScope`. */
export function requirePublisher(access: AccessPolicy): MiddlewareHandler<Publisher> {
  return async (context, next) => {
    const id = parseAnalysisId(context.req.param("id") ?? "");
    if (id === undefined) return problem(context, "not_an_analysis_id");
    const { grant } = context.var;
    const verdict = await access.mayPublish(grant, id);
    if (verdict === "scope_missing") return scopeMissing(context, "analysis:publish", grant);
    if (verdict !== "allowed") return problem(context, verdict);
    context.set("analysisId", id);
    await next();
    return undefined;
  };
}

/** Lets a request through if its token may publish notices. It runs after `requireScope`. */
export function requireNotifier(access: AccessPolicy): MiddlewareHandler<Granted> {
  return async (context, next) => {
    const { grant } = context.var;
    const verdict = await access.mayNotify(grant);
    if (verdict === "scope_missing") return scopeMissing(context, "notice:publish", grant);
    if (verdict !== "allowed") return problem(context, verdict);
    await next();
    return undefined;
  };
}

function scopeMissing(context: Context, scope: Scope, grant: AccessGrant): Response {
  const claim = grant.unreadable.scope;
  const malformed = claim === undefined ? "" : `; malformed claim ${claim}`;
  return problem(context, "scope_missing", { detail: `needs ${scope}${malformed}` });
}

async function publisherGrant(
  context: Context,
  tokens: TokenVerifierPort,
): Promise<AccessGrant | TokenRejected> {
  const { presented } = requestBindings(context);
  if (presented !== undefined) return presentedGrant(tokens, presented);
  const token = bearerOf(context.req.header("Authorization") ?? null);
  if (token === undefined) return new TokenRejected("no bearer token");
  return grantOf(tokens, token);
}
