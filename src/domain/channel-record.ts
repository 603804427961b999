import type { EncodedEvent } from "./analysis-event.ts";
import {
  type AttemptRefusal,
  type Attempts,
  attemptsAfter,
  beginsAttempt,
  NO_ATTEMPTS,
  refusal,
} from "./attempts.ts";
import { type CurrentRun, NO_RUN, runAfter } from "./current-run.ts";
import { type EventKind, isStatusKind, isTerminalKind, reopens } from "./event-kind.ts";
import { type EventPosition, textWithEventId } from "./event-position.ts";
import { STAGE_MARKS_KEPT, type StageMark } from "./stages.ts";

/** An event that has its place on a channel. */
export interface PublishedEvent {
  readonly position: EventPosition;
  readonly kind: EventKind;
  /** Whether a new attempt or a retry began with it: then no terminal event before it is current. */
  readonly reopens: boolean;
  /** The event as it is sent to clients, beginning with its `event_id`. */
  readonly text: string;
}

/** The record of a channel beside its history: trimming takes neither order nor state. `appendToRecord` changes it in place. */
export interface ChannelRecord {
  epoch: string;
  /** The offset of the last event; 0 before the first. */
  offset: number;
  lastStatus: PublishedEvent | undefined;
  currentTerminal: PublishedEvent | undefined;
  /** Since the last reopening, at most `STAGE_MARKS_KEPT`. */
  readonly stages: StageMark[];
  attempts: Attempts;
  run: CurrentRun;
}

type RecordOutcome =
  | { readonly type: "accepted"; readonly events: readonly PublishedEvent[] }
  /** The event at `index` may not follow what the channel has; the record is as before. */
  | { readonly type: "refused"; readonly code: AttemptRefusal; readonly index: number };

/** A history is trimmed when it holds so many events more than its size, because trimming one by one costs more than the event. */
const TRIMMED_AT_ONCE = 200;

/** How many events a history holds at most, of which trimming leaves `size`. */
export function mostKept(size: number): number {
  return size + Math.min(size, TRIMMED_AT_ONCE);
}

export function newRecord(epoch: string): ChannelRecord {
  return {
    epoch,
    offset: 0,
    lastStatus: undefined,
    currentTerminal: undefined,
    stages: [],
    attempts: NO_ATTEMPTS,
    run: NO_RUN,
  };
}

/** Numbers the events and takes them into the record, all or none; the record is changed in place, this being the hot path. */
export function appendToRecord(record: ChannelRecord, events: readonly EncodedEvent[]): RecordOutcome {
  // Only attempts can refuse, and they depend on nothing else. They are judged first, so nothing needs undoing.
  let attempts = record.attempts;
  for (const [index, event] of events.entries()) {
    const code = refusal(attempts, event);
    if (code !== undefined) return { type: "refused", code, index };
    attempts = attemptsAfter(attempts, event);
  }
  return { type: "accepted", events: events.map((event) => append(record, event)) };
}

function append(record: ChannelRecord, event: EncodedEvent): PublishedEvent {
  const isNewAttempt = beginsAttempt(record.attempts, event);
  const isRetry = record.currentTerminal !== undefined && reopens(event.kind);
  const reopensNow = (isNewAttempt && record.offset > 0) || isRetry;
  record.run = runAfter(record, event.kind, reopensNow);
  if (reopensNow) {
    record.currentTerminal = undefined;
    record.stages.length = 0;
  }
  record.attempts = attemptsAfter(record.attempts, event);
  record.offset += 1;
  const position = { epoch: record.epoch, offset: record.offset };
  const text = textWithEventId(position, event.members);
  const stored: PublishedEvent = { position, kind: event.kind, reopens: reopensNow, text };
  if (isStatusKind(event.kind)) record.lastStatus = stored;
  if (isTerminalKind(event.kind)) record.currentTerminal = stored;
  markStage(record.stages, event, record.offset);
  return stored;
}

function markStage(stages: StageMark[], event: EncodedEvent, offset: number): void {
  if (event.stage === undefined || event.stage === stages.at(-1)?.stage) return;
  stages.push({ stage: event.stage, at: event.timestamp, offset });
  if (stages.length > STAGE_MARKS_KEPT) stages.shift();
}
