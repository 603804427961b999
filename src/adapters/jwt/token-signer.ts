import { SignJWT } from "jose";
import type { Scope } from "../../domain/access-grant.ts";
import { type ClaimPath, type Claims, withClaim } from "../../domain/claim-path.ts";
import { type ClaimRules, ORDINARY_CLAIMS } from "../../domain/claim-rules.ts";

export interface TokenRequest {
  /** The user; left out for a token that names nobody. */
  readonly user?: string;
  /** The analyses that it is for; left out if the declared viewers or the default decide. */
  readonly analyses?: "*" | readonly string[];
  readonly scopes: readonly Scope[];
  /** A whole number of seconds from `now`. */
  readonly expiresInSeconds: number;
}

/**
 * Signs a token as the gateway verifies it: HS256, with the claims that `rules` ask for. `now` is in milliseconds since
 * 1970.
 */
export function signToken(
  secret: string,
  request: TokenRequest,
  now: number,
  rules: ClaimRules = ORDINARY_CLAIMS,
): Promise<string> {
  const issuedAt = Math.floor(now / 1000);
  const [issuer] = rules.issuers;
  const [audience] = rules.audiences;
  const said: readonly (readonly [readonly ClaimPath[], unknown])[] = [
    [rules.user, request.user],
    [rules.analyses, request.analyses],
    [rules.scope, request.scopes.length === 0 ? undefined : request.scopes.join(" ")],
  ];
  let claims: Claims = {
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
  };
  for (const [[path], value] of said)
    if (path !== undefined && value !== undefined) claims = withClaim(claims, path, value);
  return new SignJWT({ ...claims, iat: issuedAt, exp: issuedAt + request.expiresInSeconds })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .sign(new TextEncoder().encode(secret));
}
