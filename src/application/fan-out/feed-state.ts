import type { PublishedEvent } from "../ports/pub-sub-port.ts";

export type FeedState = ReadingState | { readonly type: "live" } | { readonly type: "closed" };

export interface ReadingState {
  readonly type: "reading";
  /** What was heard meanwhile, in order. */
  readonly held: PublishedEvent[];
  /** What was heard could not all be held, or the link broke once more: read again. */
  again: boolean;
}

/** What is held while a read is out; beyond it the read is simply done once more. */
const MOST_HELD = 1_000;

export function reading(): ReadingState {
  return { type: "reading", held: [], again: false };
}

/** Keeps what was heard until the read is done. */
export function hold(state: ReadingState, event: PublishedEvent): void {
  if (state.held.length < MOST_HELD) {
    state.held.push(event);
    return;
  }
  state.held.length = 0;
  state.again = true;
}
