import { compactVerify, errors } from "jose";
import { TokenRejected } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { VerifiedToken } from "../../domain/access-grant.ts";
import { type Claims, readClaims } from "./token-claims.ts";

/** The most characters of a token. A longer one is refused unread; HTTP headers end at 16 KiB anyway. */
const LONGEST_TOKEN = 8 * 1024;

/**
 * Verifies HS256 tokens and nothing else, whatever algorithm their header names. It asks nobody, so it never throws
 * `AccessUndecided`.
 */
export class JoseTokenVerifier implements TokenVerifierPort {
  readonly #key: Uint8Array;
  readonly #clock: ClockPort;

  /** `secret` has at least 32 bytes of UTF-8. The times of a token are judged by `clock`, to the millisecond. */
  constructor(secret: string, clock: ClockPort) {
    this.#key = new TextEncoder().encode(secret);
    this.#clock = clock;
  }

  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > LONGEST_TOKEN) throw new TokenRejected("too long");
    const now = this.#clock.now();
    return readClaims(await this.#signedClaims(token), now);
  }

  /** The library judges only the signature. Its rules for claims refuse more than Telltale's, and in whole seconds. */
  async #signedClaims(token: string): Promise<Claims> {
    try {
      const { payload, protectedHeader } = await compactVerify(token, this.#key, { algorithms: ["HS256"] });
      if (protectedHeader.b64 === false) throw new TokenRejected("malformed");
      return parseClaims(payload);
    } catch (error) {
      if (error instanceof TokenRejected) throw error;
      // The error is not passed on as the cause, because the library's errors hold parts of the token.
      throw new TokenRejected(reasonOf(error));
    }
  }
}

function parseClaims(payload: Uint8Array): Claims {
  // Bytes that are no text are refused, not replaced: two users would become one.
  const claims: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  if (typeof claims === "object" && claims !== null && !Array.isArray(claims)) return claims as Claims;
  throw new TokenRejected("malformed");
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWSSignatureVerificationFailed) return "bad signature";
  if (error instanceof errors.JOSEAlgNotAllowed) return "algorithm not allowed";
  const isMalformed =
    error instanceof errors.JOSEError || error instanceof TypeError || error instanceof SyntaxError;
  return isMalformed ? "malformed" : "cannot be verified";
}
