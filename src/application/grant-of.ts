import { AccessGrant } from "../domain/access-grant.ts";
import { TokenRejected } from "./errors.ts";
import type { TokenVerifierPort } from "./ports/token-verifier-port.ts";

/** The holder of a token to watch with: such a token names its user. */
export interface WatcherGrant {
  readonly userId: string;
  readonly grant: AccessGrant;
}

/** The rights of the holder of `token`, or the reason why it is no good. Rejects if the verifier cannot decide. */
export async function grantOf(
  tokens: TokenVerifierPort,
  token: string,
): Promise<AccessGrant | TokenRejected> {
  try {
    return new AccessGrant(await tokens.verify(token));
  } catch (error) {
    if (error instanceof TokenRejected) return error;
    throw error;
  }
}

/** The holder of a token to watch with. A token that names nobody is no good for that. */
export function watcherOf(grant: AccessGrant): WatcherGrant | TokenRejected {
  const { userId } = grant;
  if (userId !== undefined) return { userId, grant };
  const claim = grant.unreadable.user;
  return new TokenRejected(claim === undefined ? "the token names no user" : `malformed claim ${claim}`);
}
