import type { EncodedEvent } from "../domain/analysis-event.ts";
import { type EventKind, eventTypeOf, firstMemberOf } from "../domain/event-kind.ts";

/** Events as `decodeEvent` makes them, for tests below the rules of section 2 of the wire contract. */
export function encoded(
  kind: EventKind,
  { stage, timestamp = "2026-11-24T03:27:22.785846Z", attemptId, note = "" }: EncodedOptions = {},
): EncodedEvent {
  const first = firstMemberOf(kind);
  const event = {
    ...(first !== undefined && JSON.parse(`{${first.source}}`)),
    event_type: eventTypeOf(kind),
    ...(stage === undefined ? {} : { current_stage: stage }),
    ...(attemptId === undefined ? {} : { attempt_id: attemptId }),
    note,
    timestamp,
  };
  return { kind, stage, timestamp, attemptId, members: JSON.stringify(event).slice(1) };
}

export interface EncodedOptions {
  readonly stage?: string;
  readonly timestamp?: string;
  readonly attemptId?: string;
  readonly note?: string;
}

export function status(options: EncodedOptions = {}): EncodedEvent {
  return encoded("status", { stage: "model_inference", ...options });
}

export function queued(options: EncodedOptions = {}): EncodedEvent {
  return encoded("status", { stage: "queued", ...options });
}

export function completed(options: EncodedOptions = {}): EncodedEvent {
  return encoded("status_completed", { stage: "completed", ...options });
}

export function failed(options: EncodedOptions = {}): EncodedEvent {
  return encoded("status_failed", { stage: "failed", ...options });
}

export function cancelled(options: EncodedOptions = {}): EncodedEvent {
  return encoded("status_cancelled", { stage: "cancelled", ...options });
}

export function result(options: EncodedOptions = {}): EncodedEvent {
  return encoded("result", options);
}

export function dataResult(options: EncodedOptions = {}): EncodedEvent {
  return encoded("data_result", options);
}

export function fault(options: EncodedOptions = {}): EncodedEvent {
  return encoded("error", options);
}

export function notice(options: EncodedOptions = {}): EncodedEvent {
  return encoded("notice", options);
}
