import type { VerifiedToken } from "../../domain/access-grant.ts";

/**
 * Verifies a bearer token: signature by an allowed algorithm, `exp` present and ahead, `nbf` behind, claims well
 * formed. Every failure is a `TokenRejected`; nothing else is thrown and the message never holds the token.
 */
export interface TokenVerifierPort {
  verify(token: string): Promise<VerifiedToken>;
}
