import type { VerifiedToken } from "../../domain/access-grant.ts";

/**
 * Verifies bearer tokens: the signature is made with an allowed algorithm, `exp` is present and ahead, `nbf` and `iat` are
 * at most 30 s ahead, `analyses` is well formed. Other malformed claims are named in `unreadable`.
 */
export interface TokenVerifierPort {
  /**
   * Resolves with the content of a token that is good at this moment. Rejects with `TokenRejected` if the token is no
   * good, and with `AccessUndecided` if nobody can say so now, for instance because the keys of the issuer cannot be
   * read. Rejects with nothing else. No message holds the token.
   */
  verify(token: string): Promise<VerifiedToken>;
}
