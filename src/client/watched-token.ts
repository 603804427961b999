import type { WatcherClock } from "./watched-socket.ts";

/** A backend that does not answer must not hold the watch for good. */
const TOKEN_TIMEOUT_MS = 10_000;
/** The characters that a subprotocol may hold (RFC 9110, token). */
const SENDABLE = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Asks for a token. Calls `done` once, with the token or with the reason why there is none: it threw, rejected,
 * answered no text, or did not answer within ten seconds; never after the returned function was called.
 */
export function fetchToken(
  token: () => string | Promise<string>,
  clock: WatcherClock,
  done: (token: string | undefined, reason: string) => void,
): () => void {
  let settled = false;
  const settle = (answer: unknown, reason: string) => {
    if (settled) return;
    cancel();
    if (typeof answer === "string" && answer !== "") done(answer, "");
    else done(undefined, reason);
  };
  const stopTimer = clock.after(TOKEN_TIMEOUT_MS, () =>
    settle(undefined, `no token: no answer within ${TOKEN_TIMEOUT_MS / 1000} s`),
  );
  const cancel = () => {
    settled = true;
    stopTimer();
  };
  // The promise covers a `token` that throws as well as one that rejects.
  new Promise<unknown>((resolve) => resolve(token())).then(
    (answer) => settle(answer, "no token: the answer is no text"),
    (error: unknown) => settle(undefined, `no token: ${messageOf(error)}`),
  );
  return cancel;
}

/** Not left to the WebSocket, whose message would show the token. */
export function isSendable(token: string): boolean {
  return SENDABLE.test(token);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
