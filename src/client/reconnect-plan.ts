import { closeCodeOf, retryAfterOf } from "../domain/close-code.ts";

/** What to do after a connection ended. */
export type ReconnectPlan =
  | { readonly next: "retry"; readonly inMs: number }
  | { readonly next: "refused" }
  | { readonly next: "finished" };

export interface EndedConnection {
  /** Close code; 1006 where the link broke without one. */
  readonly code: number;
  readonly reason: string;
  /** Connections that ended before this one without having lasted. */
  readonly failures: number;
  /** Closes with 4001 in a row, this one included, without a connection_established between. */
  readonly tokenRejections: number;
}

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 15_000;
/** A hint beyond this is taken for a mistake: a page that waits longer looks dead. */
const LONGEST_HINT_MS = 300_000;
/** Fresh tokens refused in a row before giving up: the fault is then not their age. */
const TOKEN_REJECTIONS_BEFORE_GIVING_UP = 3;

/** Decides by the close code whether to come back, and when. `random` answers from 0 up to 1. */
export function planReconnect(ended: EndedConnection, random: () => number): ReconnectPlan {
  if (ended.code === 1000) return { next: "finished" };
  switch (closeCodeOf(ended.code)?.reconnect) {
    case "no":
      return { next: "refused" };
    case "yes":
      return { next: "retry", inMs: atOnceThenBackoff(ended.failures, random) };
    case "with_new_token":
      if (ended.tokenRejections >= TOKEN_REJECTIONS_BEFORE_GIVING_UP) return { next: "refused" };
      return { next: "retry", inMs: atOnceThenBackoff(ended.failures, random) };
    case "after_hint": {
      const hint = retryAfterOf(ended.reason);
      if (hint === undefined) return { next: "retry", inMs: backoff(ended.failures, random) };
      return { next: "retry", inMs: Math.min(hint, LONGEST_HINT_MS) };
    }
    case "with_backoff":
    case undefined:
      return { next: "retry", inMs: backoff(ended.failures, random) };
  }
}

/** A connection that ends as soon as it is made must not turn "at once" into a storm. */
function atOnceThenBackoff(failures: number, random: () => number): number {
  return failures === 0 ? 0 : backoff(failures, random);
}

/** Half fixed, half random: never a stampede after a restart, never a reconnect in no time. */
function backoff(failures: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}
