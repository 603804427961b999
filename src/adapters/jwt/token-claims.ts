import { TokenRejected } from "../../application/errors.ts";
import type { VerifiedToken } from "../../domain/access-grant.ts";
import { isUserId, parseAnalysisId } from "../../domain/channel.ts";
import { type ClaimPath, type Claims, claimAt, nameOf } from "../../domain/claim-path.ts";
import type { ClaimRules } from "../../domain/claim-rules.ts";

/** Seconds that the issuer's clock may be ahead of the gateway's. `exp` has no leeway. */
export const LEEWAY_SECONDS = 30;

/** The last moment that a `Date` can hold, in milliseconds. A later expiry could not be formatted. */
const END_OF_TIME = 8_640_000_000_000_000;

/**
 * Reads what the claims of a token say at `now` (milliseconds since 1970). A claim that is null is absent. Throws
 * TokenRejected if the token is not valid at `now`, if it is of another issuer or for another audience, or if `exp`, `nbf`
 * or the analyses are malformed: these limit every request. Any other claim that is malformed is named in `unreadable`,
 * and a request that needs it is refused later.
 */
export function readClaims(claims: Claims, now: number, rules: ClaimRules): VerifiedToken {
  refuseForeign(claims, rules);
  const expiresAt = expiryOf(claims, now);
  refuseTooEarly(claims, now);
  const user = userIdOf(claims, rules.user);
  const scope = scopesOf(claims, rules);
  return {
    userId: user.value,
    scopes: scope.value,
    analyses: analysesOf(claims, rules.analyses),
    expiresAt,
    unreadable: {
      ...(user.malformed !== undefined && { user: user.malformed }),
      ...(scope.malformed !== undefined && { scope: scope.malformed }),
    },
  };
}

/** The content of a claim. `malformed` is the name of a claim that should say it and is malformed. */
interface Read<Value> {
  readonly value: Value;
  readonly malformed: string | undefined;
}

function refuseForeign({ iss, aud }: Claims, { issuers, audiences }: ClaimRules): void {
  if (issuers.length > 0 && !issuers.some((issuer) => issuer === iss))
    throw new TokenRejected("wrong issuer");
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (audiences.length > 0 && !audiences.some((audience) => named.includes(audience)))
    throw new TokenRejected("wrong audience");
}

function expiryOf(claims: Claims, now: number): number {
  const exp = claims.exp ?? undefined;
  if (exp === undefined) throw new TokenRejected("no expiry");
  if (typeof exp !== "number") throw malformed("exp");
  const expiresAt = Math.min(exp * 1000, END_OF_TIME);
  if (expiresAt <= now) throw new TokenRejected("expired");
  return expiresAt;
}

function refuseTooEarly({ nbf, iat }: Claims, now: number): void {
  const latest = now / 1000 + LEEWAY_SECONDS;
  const notBefore = nbf ?? 0;
  if (typeof notBefore !== "number") throw malformed("nbf");
  if (notBefore > latest) throw new TokenRejected("not valid yet");
  // No request needs the time of issue, so a value that is no number is ignored.
  if (typeof iat === "number" && iat > latest) throw new TokenRejected("issued in the future");
}

function userIdOf(claims: Claims, paths: readonly ClaimPath[]): Read<string | undefined> {
  const path = firstOf(claims, paths);
  const value = path && claimAt(claims, path);
  const nobody = { value: undefined, malformed: undefined };
  if (path === undefined || value === undefined) return nobody;
  // A number beyond 2^53 loses digits: two users would become one.
  if (typeof value === "number" && Number.isSafeInteger(value)) return { ...nobody, value: String(value) };
  if (typeof value === "string" && value.trim() === "") return nobody;
  if (typeof value === "string" && isUserId(value)) return { ...nobody, value };
  return { ...nobody, malformed: nameOf(path) };
}

/** Reads texts with spaces between the scopes, or arrays of such texts. */
function scopesOf(claims: Claims, { scope: paths, scopePrefixes }: ClaimRules): Read<ReadonlySet<string>> {
  const scopes = new Set<string>();
  let malformed: string | undefined;
  for (const path of paths) {
    const value = claimAt(claims, path) ?? "";
    const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (!texts.every((text) => typeof text === "string")) malformed ??= nameOf(path);
    else
      for (const text of texts)
        for (const one of text.split(" ")) if (one !== "") scopes.add(withoutPrefix(one, scopePrefixes));
  }
  return { value: scopes, malformed };
}

/** If one prefix begins with another, the longer counts. */
function withoutPrefix(scope: string, prefixes: readonly string[]): string {
  const lengths = prefixes.map((one) => (scope.startsWith(one) ? one.length : 0));
  return scope.slice(Math.max(0, ...lengths));
}

function analysesOf(claims: Claims, paths: readonly ClaimPath[]): VerifiedToken["analyses"] {
  const path = firstOf(claims, paths);
  const analyses = path && claimAt(claims, path);
  if (path === undefined || analyses === undefined || analyses === "*") return analyses as "*" | undefined;
  if (!Array.isArray(analyses)) throw malformed(nameOf(path));
  return new Set(
    analyses.map((entry: unknown) => {
      const id = typeof entry === "string" ? parseAnalysisId(entry) : undefined;
      if (id === undefined) throw malformed(nameOf(path));
      return id;
    }),
  );
}

function firstOf(claims: Claims, paths: readonly ClaimPath[]): ClaimPath | undefined {
  return paths.find((path) => claimAt(claims, path) !== undefined);
}

function malformed(claim: string): TokenRejected {
  return new TokenRejected(`malformed claim ${claim}`);
}
