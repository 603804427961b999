import type {
  AppendOutcome,
  AppendRequest,
  HistoryPage,
  PublishedEvent,
} from "../../application/ports/pub-sub-port.ts";
import {
  type EpochSpan,
  type EventPosition,
  isOnHistory,
  textWithEventId,
} from "../../domain/event-position.ts";
import { type DecisionState, decide, isTerminal, NO_EVENTS } from "./record-decision.ts";
import { SeenMemory } from "./seen-memory.ts";

export type Judged =
  | { readonly type: "accepted"; readonly events: readonly PublishedEvent[]; readonly state: DecisionState }
  | Extract<AppendOutcome, { type: "refused" }>;

/** One channel from its first event until it expires: the counter, the kept history, and what trimming may not take. */
export class KeptChannel {
  readonly epoch: string;
  readonly seen = new SeenMemory();
  heardAt = 0;
  expiresAt = 0;
  #offset = 0;
  #kept: PublishedEvent[] = [];
  #state = NO_EVENTS;
  #lastStatus: PublishedEvent | undefined;
  #terminal: PublishedEvent | undefined;

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  get position(): EventPosition {
    return { epoch: this.epoch, offset: this.#offset };
  }

  get spans(): readonly EpochSpan[] {
    return [{ epoch: this.epoch, firstOffset: 1 }];
  }

  get lastStatus(): PublishedEvent | undefined {
    return this.#lastStatus;
  }

  get standingTerminal(): PublishedEvent | undefined {
    return this.#terminal;
  }

  get stages(): DecisionState["stages"] {
    return this.#state.stages;
  }

  /** Numbers the events and says whether they may follow; changes nothing. */
  judge(events: AppendRequest["events"]): Judged {
    let state = this.#state;
    const published: PublishedEvent[] = [];
    for (const [index, event] of events.entries()) {
      const position = { epoch: this.epoch, offset: this.#offset + index + 1 };
      const decision = decide(state, event, position.offset);
      if (!decision.accepted) return { type: "refused", code: decision.code, index };
      state = decision.state;
      const text = textWithEventId(position, event.members);
      published.push({ position, kind: event.kind, reopens: decision.reopens, text });
    }
    return { type: "accepted", events: published, state };
  }

  /** Takes in what `judge` accepted. Keeps at least the `size` newest; at most `size` or 200 more, the smaller. */
  keep(judged: Extract<Judged, { type: "accepted" }>, size: number): void {
    this.#state = judged.state;
    for (const event of judged.events) {
      this.#kept.push(event);
      this.#offset = event.position.offset;
      if (event.reopens) this.#terminal = undefined;
      if (isTerminal(event.kind)) this.#terminal = event;
      if (event.kind.startsWith("status")) this.#lastStatus = event;
    }
    // Trimmed in lots, so that an event at the limit does not copy the whole history.
    if (this.#kept.length > size + Math.min(size, 200)) this.#kept = this.#kept.slice(-size);
  }

  page(after: EventPosition | undefined, limit: number): HistoryPage {
    const oldestKept = this.#offset - this.#kept.length + 1;
    const history = { oldestKept, newest: this.#offset, spans: this.spans };
    const resumed = after === undefined || isOnHistory(after, history);
    const start = after !== undefined && resumed ? after.offset + 1 - oldestKept : 0;
    return { resumed, events: this.#kept.slice(start, start + limit), position: this.position };
  }
}
