import { SignJWT } from "jose";
import type { Scope } from "../../domain/access-grant.ts";

export interface TokenRequest {
  /** Claim `user_id`; left out for a token that names nobody. */
  readonly user?: string;
  /** Claim `analyses`; left out if the declared viewers or the default decide. */
  readonly analyses?: "*" | readonly string[];
  readonly scopes: readonly Scope[];
  /** A whole number of seconds from `now`. */
  readonly expiresInSeconds: number;
}

/** Signs a token as the gateway verifies it: HS256. `now` is in milliseconds since 1970. */
export function signToken(secret: string, request: TokenRequest, now: number): Promise<string> {
  const issuedAt = Math.floor(now / 1000);
  const claims = {
    ...(request.user === undefined ? {} : { user_id: request.user }),
    ...(request.analyses === undefined ? {} : { analyses: request.analyses }),
    ...(request.scopes.length === 0 ? {} : { scope: request.scopes.join(" ") }),
    iat: issuedAt,
    exp: issuedAt + request.expiresInSeconds,
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .sign(new TextEncoder().encode(secret));
}
