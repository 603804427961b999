/** Codes that a client does not come back from. */
const FINAL = [1009, 4003, 4004, 4400];
/** Codes that a client comes back from at once, if it is the first time. */
const AT_ONCE = [4001, 4008, 4009, 4010];
const LONGEST_BACKOFF_MS = 15_000;
/** A gateway that was away for long is seen again within five seconds. */
const LONGEST_AFTER_BREAK_MS = 4_000;
/** A hint beyond this is taken for a mistake: a page that waits longer looks dead. */
const LONGEST_HINT_MS = 300_000;
/** Pauses after a fresh token that was refused; the third refusal is the last. Clocks and keys come right within a minute. */
const TOKEN_PAUSES_MS = [8_000, 50_000];

/**
 * Milliseconds until the next connection, after one that ended with this close code (1006 if the link broke without one); undefined if
 * there is to be none. `failures`: connections that ended before without having lasted. `tokenRefusals`: fresh tokens that were refused
 * in a row, this one included; 0 if this connection was established.
 */
export function retryAfter(
  code: number,
  reason: string,
  failures: number,
  tokenRefusals: number,
  random: () => number,
): number | undefined {
  const hint = /\bretry_after_ms=(\d+)/.exec(reason);
  if (code === 4003 && reason.includes("not_declared")) return backoff(failures, random);
  if (FINAL.includes(code)) return undefined;
  if (code === 4001 && tokenRefusals) {
    const pause = TOKEN_PAUSES_MS[tokenRefusals - 1];
    return pause && pause + pause * 0.2 * random();
  }
  if (hint) return Math.min(+(hint[1] as string), LONGEST_HINT_MS);
  if (AT_ONCE.includes(code) && !failures) return 0;
  return backoff(failures, random, code === 1006 ? LONGEST_AFTER_BREAK_MS : LONGEST_BACKOFF_MS);
}

/** Full jitter: clients that lost one gateway at once do not come back at once. */
export function backoff(failures: number, random: () => number, longest = LONGEST_BACKOFF_MS): number {
  return random() * Math.min(longest, 500 * 2 ** failures);
}
