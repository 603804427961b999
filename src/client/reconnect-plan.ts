import { closeCodeOf, isNotDeclared, retryAfterOf } from "../domain/close-code.ts";

/** The next step after a connection ended. */
export type ReconnectPlan =
  | { readonly next: "retry"; readonly inMs: number }
  | { readonly next: "refused" }
  | { readonly next: "finished" };

export interface EndedConnection {
  /** The close code; 1006 if the link broke without one. */
  readonly code: number;
  readonly reason: string;
  /** Connections that ended before this one without having lasted. */
  readonly failures: number;
  /**
   * Fresh tokens that were refused since the last connection_established, this one included; 0 if this connection
   * was established: its token has grown old, and that is no refusal of the next one.
   */
  readonly tokenRejections: number;
  /** Milliseconds since the gateway first said `not_declared`, without a connection_established between. */
  readonly undeclaredForMs: number;
}

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 15_000;
/** If the link broke, the gateway is away: its page shall have found it within five seconds of its return. */
const LONGEST_LINK_PAUSE_MS = 4_000;
/** A hint beyond this is taken for a mistake: a page that waits longer looks dead. */
const LONGEST_HINT_MS = 300_000;
/**
 * Longest pauses after the first and the second fresh token that is refused; the third is the last. Spread over about
 * a minute, since the clocks of two machines, or a key on its way to all gateways, come right in that time.
 */
const TOKEN_PAUSES_MS = [10_000, 70_000];
/** A backend may declare the viewers a little after its page began to watch. The watcher waits no longer for it. */
const UNDECLARED_PATIENCE_MS = 30_000;
const LONGEST_UNDECLARED_PAUSE_MS = 4_000;

/** Decides by the close code whether to come back, and when. `random` answers from 0 up to 1. */
export function planReconnect(ended: EndedConnection, random: () => number): ReconnectPlan {
  if (ended.code === 1000) return { next: "finished" };
  if (isNotDeclared(ended)) return untilDeclared(ended, random);
  switch (closeCodeOf(ended.code)?.reconnect) {
    case "no":
      return { next: "refused" };
    case "yes":
      return { next: "retry", inMs: atOnceThenBackoff(ended.failures, random) };
    case "with_new_token":
      return withNewToken(ended, random);
    case "after_hint": {
      const hint = retryAfterOf(ended.reason);
      if (hint === undefined) return { next: "retry", inMs: backoff(ended.failures, random) };
      return { next: "retry", inMs: Math.min(hint, LONGEST_HINT_MS) };
    }
    case "with_backoff":
      return { next: "retry", inMs: backoff(ended.failures, random) };
    case undefined:
      return { next: "retry", inMs: backoff(ended.failures, random, LONGEST_LINK_PAUSE_MS) };
  }
}

/** A connection that ends as soon as it is made must not turn "at once" into a storm. */
export function atOnceThenBackoff(failures: number, random: () => number): number {
  return failures === 0 ? 0 : backoff(failures, random);
}

function withNewToken({ failures, tokenRejections }: EndedConnection, random: () => number): ReconnectPlan {
  if (tokenRejections === 0) return { next: "retry", inMs: atOnceThenBackoff(failures, random) };
  const longest = TOKEN_PAUSES_MS[tokenRejections - 1];
  return longest === undefined ? { next: "refused" } : { next: "retry", inMs: halfRandom(longest, random) };
}

/** The last try falls on the end of the patience. */
function untilDeclared({ failures, undeclaredForMs }: EndedConnection, random: () => number): ReconnectPlan {
  const left = UNDECLARED_PATIENCE_MS - undeclaredForMs;
  if (left <= 0) return { next: "refused" };
  return { next: "retry", inMs: Math.min(left, backoff(failures, random, LONGEST_UNDECLARED_PAUSE_MS)) };
}

function backoff(failures: number, random: () => number, longest = LONGEST_BACKOFF_MS): number {
  return halfRandom(Math.min(longest, FIRST_BACKOFF_MS * 2 ** Math.min(failures, 16)), random);
}

/** Half fixed, half random: never a stampede after a restart, never a reconnect in no time. */
function halfRandom(ceiling: number, random: () => number): number {
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}
