import { type ByteBudget, Filling } from "../../domain/byte-budget.ts";
import { utf8Length } from "../../domain/utf8.ts";
import type { ResyncReason } from "../ports/metric-names.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";

/** How much is held while a read is out; if more arrives, the channel is read once more. */
const HELD_WHILE_READING: ByteBudget = { items: 1_000, bytes: 4 * 1024 * 1024 };

/** A feed that opens or reads again: events that arrive meanwhile are held, in order. */
export interface Reading {
  readonly type: "reading";
  readonly held: { readonly event: PublishedEvent; readonly appendedAt: number }[];
  readonly filling: Filling;
  /** Why the channel has to be read once more; then nothing is held. */
  again: ResyncReason | undefined;
}

export function reading(): Reading {
  return { type: "reading", held: [], filling: new Filling(HELD_WHILE_READING), again: undefined };
}

export function hold(state: Reading, event: PublishedEvent, appendedAt: number): void {
  if (state.again === undefined && state.filling.take(utf8Length(event.text))) {
    state.held.push({ event, appendedAt });
  } else {
    state.held.length = 0;
    state.again ??= "held_too_much";
  }
}
