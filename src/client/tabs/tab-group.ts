import { claimsIn } from "../watch/token.ts";
import type { ConnectionRequest } from "../watch/transport.ts";

/** Claims that differ between two tokens of the same rights. */
const OF_ONE_TOKEN = ["exp", "iat", "nbf", "jti"];

/** Whether this runtime can share: pages in a secure context can. */
export function canShare(): boolean {
  return globalThis.BroadcastChannel !== undefined && globalThis.navigator?.locks !== undefined;
}

/**
 * The name of all tabs that may share a connection: those whose tokens say the same of their user. A token that cannot be read has a
 * group of its own.
 */
export function groupOf({ base, conflate, token }: ConnectionRequest): string {
  return `telltale:${conflate}:${base}:${rightsIn(token) ?? crypto.randomUUID()}`;
}

function rightsIn(token: string): string | undefined {
  try {
    const claims = claimsIn(token);
    for (const claim of OF_ONE_TOKEN) delete claims[claim];
    return JSON.stringify(Object.entries(claims).sort());
  } catch {
    // It is no JWT.
    return undefined;
  }
}
