import { type ByteBudget, Filling } from "../../domain/byte-budget.ts";
import { utf8Length } from "../../domain/utf8.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";

export type FeedState = ReadingState | { readonly type: "live" } | { readonly type: "closed" };

export interface ReadingState {
  readonly type: "reading";
  /** What was heard meanwhile, in order. */
  readonly held: PublishedEvent[];
  readonly filling: Filling;
  /** What was heard could not all be held, or the link broke once more: read again. */
  again: boolean;
}

/** What is held while a read is out; beyond it the read is simply done once more. */
const HELD: ByteBudget = { items: 1_000, bytes: 4 * 1024 * 1024 };

export function reading(): ReadingState {
  return { type: "reading", held: [], filling: new Filling(HELD), again: false };
}

/** Keeps what was heard until the read is done. */
export function hold(state: ReadingState, event: PublishedEvent): void {
  // Nothing that is held is looked at where all is read again.
  if (!state.again && state.filling.take(utf8Length(event.text))) {
    state.held.push(event);
    return;
  }
  state.held.length = 0;
  state.again = true;
}
