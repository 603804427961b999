import { TokenRejected } from "../../application/errors.ts";
import type { VerifiedToken } from "../../domain/access-grant.ts";
import { isUserId, parseAnalysisId } from "../../domain/channel.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** Seconds that the issuer's clock may be ahead of the gateway's. `exp` has no leeway. */
export const LEEWAY_SECONDS = 30;

/** The last moment that a `Date` can hold, in milliseconds. A later expiry could not be formatted. */
const END_OF_TIME = 8_640_000_000_000_000;

/**
 * Reads what the claims of a token say at `now` (milliseconds since 1970). A claim that is null is absent. Throws
 * TokenRejected if the token is not valid at `now`, or if `exp`, `nbf` or `analyses` are malformed: these limit every
 * request. Any other claim that is malformed is named in `unreadable`, and a request that needs it is refused later.
 */
export function readClaims(claims: Claims, now: number): VerifiedToken {
  const expiresAt = expiryOf(claims, now);
  refuseTooEarly(claims, now);
  const unreadable: string[] = [];
  return {
    userId: userIdOf(claims, unreadable),
    scopes: scopesOf(claims.scope ?? "", unreadable),
    analyses: analysesOf(claims.analyses ?? undefined),
    expiresAt,
    unreadable,
  };
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

function userIdOf(claims: Claims, unreadable: string[]): string | undefined {
  const name = (claims.user_id ?? undefined) === undefined ? "sub" : "user_id";
  const value = claims[name] ?? undefined;
  if (value === undefined) return undefined;
  // A number beyond 2^53 loses digits: two users would become one.
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  if (typeof value === "string" && value.trim() === "") return undefined;
  if (typeof value === "string" && isUserId(value)) return value;
  unreadable.push(name);
  return undefined;
}

/** Reads a text with spaces between the scopes, or an array of such texts. */
function scopesOf(scope: unknown, unreadable: string[]): ReadonlySet<string> {
  const texts: readonly unknown[] = Array.isArray(scope) ? scope : [scope];
  if (texts.every((text) => typeof text === "string")) {
    return new Set(texts.flatMap((text) => text.split(" ")).filter((one) => one !== ""));
  }
  unreadable.push("scope");
  return new Set();
}

function analysesOf(analyses: unknown): VerifiedToken["analyses"] {
  if (analyses === undefined || analyses === "*") return analyses;
  if (!Array.isArray(analyses)) throw malformed("analyses");
  return new Set(
    analyses.map((entry: unknown) => {
      const id = typeof entry === "string" ? parseAnalysisId(entry) : undefined;
      if (id === undefined) throw malformed("analyses");
      return id;
    }),
  );
}

function malformed(claim: string): TokenRejected {
  return new TokenRejected(`malformed claim ${claim}`);
}
