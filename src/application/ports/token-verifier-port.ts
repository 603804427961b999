import type { VerifiedToken } from "../../domain/access-grant.ts";

/**
 * Verifies a bearer token: signature by an allowed algorithm, `exp` present and ahead, `nbf` and `iat` at most 30 s
 * ahead, `analyses` well formed. Every failure is a `TokenRejected`; nothing else is thrown and the message never holds
 * the token. Other claims that are malformed are named in `unreadable`.
 */
export interface TokenVerifierPort {
  verify(token: string): Promise<VerifiedToken>;
}
