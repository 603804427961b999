import {
  type AppendOutcome,
  type AppendRequest,
  type AttemptRefusal,
  type HistoryPage,
  PAGE_BYTES,
} from "../../application/ports/pub-sub-port.ts";
import { isSuperseded } from "../../domain/attempts.ts";
import { fill } from "../../domain/byte-budget.ts";
import { appendToRecord, mostKept, newRecord, type PublishedEvent } from "../../domain/channel-record.ts";
import type { CurrentRun } from "../../domain/current-run.ts";
import { type EpochSpan, type EventPosition, isOnHistory } from "../../domain/event-position.ts";
import { HeardContents } from "../../domain/heard-contents.ts";
import type { StageMark } from "../../domain/stages.ts";
import { utf8Length } from "../../domain/utf8.ts";
import { compareTimedIds } from "../system/timed-id.ts";
import { DeduplicationMemory, type FirstTime } from "./deduplication-memory.ts";

export type Kept =
  | { readonly type: "kept"; readonly events: readonly PublishedEvent[] }
  | Extract<AppendOutcome, { type: "refused" }>;

/** One channel from its first event until it expires: the counter, the kept history, and what trimming may not take. */
export class KeptChannel {
  readonly seen = new DeduplicationMemory();
  readonly heard = new HeardContents<AttemptRefusal>();
  heardAt: number | undefined;
  expiresAt = 0;
  /** The last inbox entry that was stored here. */
  lastEntry: { readonly id: string; readonly first: FirstTime } | undefined;
  readonly #record;
  #history: PublishedEvent[] = [];

  constructor(epoch: string) {
    this.#record = newRecord(epoch);
  }

  get position(): EventPosition {
    return { epoch: this.#record.epoch, offset: this.#record.offset };
  }

  get spans(): readonly EpochSpan[] {
    return [{ epoch: this.#record.epoch, firstOffset: 1 }];
  }

  get oldestKept(): number {
    return this.#record.offset - this.#history.length + 1;
  }

  get lastStatus(): PublishedEvent | undefined {
    return this.#record.lastStatus;
  }

  get currentTerminal(): PublishedEvent | undefined {
    return this.#record.currentTerminal;
  }

  get attemptId(): string | undefined {
    return this.#record.attempts.current;
  }

  /** Whether another attempt has replaced the one of this name. */
  isSuperseded(attemptId: string | undefined): boolean {
    return isSuperseded(this.#record.attempts, attemptId);
  }

  get stages(): readonly StageMark[] {
    return [...this.#record.stages];
  }

  get run(): CurrentRun {
    return this.#record.run;
  }

  /** Appends all events or none. Keeps at least the `size` newest and at most `mostKept(size)`. */
  append(events: AppendRequest["events"], size: number): Kept {
    const appended = appendToRecord(this.#record, events);
    if (appended.type === "refused") return appended;
    for (const event of appended.events) this.#history.push(event);
    if (this.#history.length > mostKept(size)) this.#history = this.#history.slice(-size);
    return { type: "kept", events: appended.events };
  }

  /** Where the last entry stored was this one or a later one. */
  seenEntry(id: string): FirstTime | undefined {
    return this.lastEntry !== undefined && compareTimedIds(id, this.lastEntry.id) <= 0
      ? this.lastEntry.first
      : undefined;
  }

  page(after: EventPosition | undefined, limit: number): HistoryPage {
    const { oldestKept } = this;
    const kept = { oldestKept, newest: this.#record.offset, spans: this.spans };
    const resumed = after === undefined || isOnHistory(after, kept);
    const start = after !== undefined && resumed ? after.offset + 1 - oldestKept : 0;
    const wanted = this.#history.slice(start, start + limit);
    const events = fill(wanted, { items: limit, bytes: PAGE_BYTES }, ({ text }) => utf8Length(text));
    const more = start + events.length < this.#history.length;
    return { resumed, events, more, position: this.position, kept };
  }
}
