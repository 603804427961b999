import { errors, type JWTPayload, jwtVerify } from "jose";
import { TokenRejected } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { VerifiedToken } from "../../domain/access-grant.ts";
import { isUserId, parseAnalysisId } from "../../domain/channel.ts";

/** Longer ones are refused unread, in characters: no honest token comes near, and headers end at 16 KiB anyway. */
const LONGEST_TOKEN = 8 * 1024;

/** The last moment a `Date` can hold, in milliseconds: an expiry beyond would not format. */
const END_OF_TIME = 8_640_000_000_000_000;

/** Verifies HS256 tokens and nothing else, whatever their header asks for. Times are judged exactly, by the clock given. */
export class JoseTokenVerifier implements TokenVerifierPort {
  readonly #key: Uint8Array;
  readonly #clock: ClockPort;

  /** `secret`: at least 32 bytes of UTF-8. */
  constructor(secret: string, clock: ClockPort) {
    this.#key = new TextEncoder().encode(secret);
    this.#clock = clock;
  }

  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > LONGEST_TOKEN) throw new TokenRejected("too long");
    const now = this.#clock.now();
    const claims = await this.#verifiedClaims(token, now);
    return {
      userId: userIdOf(claims),
      scopes: scopesOf(claims),
      analyses: analysesOf(claims),
      expiresAt: expiryOf(claims, now),
    };
  }

  async #verifiedClaims(token: string, now: number): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ["HS256"],
        requiredClaims: ["exp"],
        clockTolerance: 0,
        currentDate: new Date(now),
      });
      return payload;
    } catch (error) {
      // Not passed on as the cause: the errors of the library hold the claims.
      throw new TokenRejected(reasonOf(error));
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "bad signature";
  if (error instanceof errors.JOSEAlgNotAllowed) return "algorithm not allowed";
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "exp" && error.reason === "missing") return "no expiry";
    if (error.claim === "nbf" && error.reason === "check_failed") return "not valid yet";
    return `malformed claim ${error.claim}`;
  }
  if (error instanceof errors.JOSEError || error instanceof TypeError) return "malformed";
  return "cannot be verified";
}

function expiryOf({ exp }: JWTPayload, now: number): number {
  // The library judges whole seconds only.
  const expiresAt = Math.min((exp ?? 0) * 1000, END_OF_TIME);
  if (expiresAt <= now) throw new TokenRejected("expired");
  return expiresAt;
}

function userIdOf(claims: JWTPayload): string | undefined {
  const [name, value] =
    claims.user_id === undefined
      ? (["sub", claims.sub as unknown] as const)
      : (["user_id", claims.user_id] as const);
  if (value === undefined) return undefined;
  if (typeof value === "string" && value.trim() === "") return undefined;
  if (typeof value === "string" && isUserId(value)) return value;
  // Beyond 2^53 digits are lost: two users would read as one.
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  throw new TokenRejected(`malformed claim ${name}`);
}

function scopesOf({ scope }: JWTPayload): ReadonlySet<string> {
  if (scope === undefined) return new Set();
  if (typeof scope !== "string") throw new TokenRejected("malformed claim scope");
  return new Set(scope.split(" ").filter((one) => one !== ""));
}

function analysesOf({ analyses }: JWTPayload): VerifiedToken["analyses"] {
  if (analyses === undefined || analyses === "*") return analyses;
  if (!Array.isArray(analyses)) throw new TokenRejected("malformed claim analyses");
  return new Set(
    analyses.map((entry: unknown) => {
      const id = typeof entry === "string" ? parseAnalysisId(entry) : undefined;
      if (id === undefined) throw new TokenRejected("malformed claim analyses");
      return id;
    }),
  );
}
