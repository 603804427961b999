import type { Context, MiddlewareHandler } from "hono";
import { TokenRejected } from "../../application/errors.ts";
import { grantOf } from "../../application/grant-of.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { AccessGrant, Scope } from "../../domain/access-grant.ts";
import { bearerOf } from "../../session/presented-token.ts";
import { problem } from "./problem.ts";

export interface Granted {
  Variables: { grant: AccessGrant };
}

/** Lets a request through whose bearer token has `scope`; its grant is then `context.var.grant`. */
export function requireScope(tokens: TokenVerifierPort, scope: Scope): MiddlewareHandler<Granted> {
  return async (context, next) => {
    const grant = await publisherGrant(context, tokens);
    if (grant instanceof TokenRejected) return problem(context, "unauthenticated", { detail: grant.message });
    if (!grant.hasScope(scope)) return problem(context, "scope_missing", { detail: missing(scope, grant) });
    context.set("grant", grant);
    await next();
    return undefined;
  };
}

function missing(scope: Scope, grant: AccessGrant): string {
  return grant.isUnreadable("scope") ? `needs ${scope}; malformed claim scope` : `needs ${scope}`;
}

async function publisherGrant(
  context: Context,
  tokens: TokenVerifierPort,
): Promise<AccessGrant | TokenRejected> {
  const token = bearerOf(context.req.header("Authorization") ?? null);
  if (token === undefined) return new TokenRejected("no bearer token");
  return grantOf(tokens, token);
}
