import type { Environment } from "./environment.ts";
import type { TokenSource } from "./watch-options.ts";

/** A backend that does not answer must not hold the watch for good. */
const TOKEN_TIMEOUT_MS = 10_000;

/**
 * Asks for a token. Calls `done` once, with the token or with the reason why there is none: it threw, rejected, answered no token, or did
 * not answer within ten seconds. Never after the returned function was called.
 */
export function askToken(
  source: TokenSource,
  { after }: Environment,
  done: (token: string | undefined, reason: string) => void,
): () => void {
  let settled = false;
  const settle = (token: string | undefined, reason: string) => {
    if (settled) return;
    cancel();
    done(token, `no token: ${reason}`);
  };
  const stopTimer = after(TOKEN_TIMEOUT_MS, () => settle(undefined, "no answer in time"));
  const cancel = () => {
    settled = true;
    stopTimer();
  };
  (async () => (typeof source === "string" ? source : source()))().then(
    // The characters of a subprotocol and of a header. A runtime that refuses others may show the token.
    (token) => settle(/^[\w.~+/=-]+$/.test(token || "") ? token : undefined, "the answer is none"),
    (error) => settle(undefined, error?.message ?? error),
  );
  return cancel;
}

/** Milliseconds after which to ask for the next token, before this one ends; undefined if nobody can say, or there is only one. */
export function renewalIn(source: TokenSource, token: string, now: number): number | undefined {
  if (typeof source === "string") return undefined;
  try {
    const left = (claimsIn(token).exp as number) * 1000 - now;
    // Timers take no more than 31 bits.
    return Math.max(2_000, Math.min(left - 30_000, left * 0.8, 2 ** 31 - 1)) || undefined;
  } catch {
    // Opaque tokens are the gateway's business.
    return undefined;
  }
}

/** The claims of a JWT. Text beyond ASCII is not decoded: it is the same if the token says the same. Throws if it is no JWT. */
export function claimsIn(token: string): Record<string, unknown> {
  return JSON.parse(atob((token.split(".")[1] as string).replace(/-/g, "+").replace(/_/g, "/")));
}
