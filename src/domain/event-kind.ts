import { EVENT_ID_START } from "./event-position.ts";

/** The meanings that an event can have to the course of an analysis, so that nobody downstream has to read its text. */
export const EVENT_KINDS = [
  "status",
  "status_completed",
  "status_failed",
  "status_cancelled",
  "result",
  "data_result",
  "error",
  "notice",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/** The `event_type` that an event of this kind bears. */
export function eventTypeOf(kind: EventKind): string {
  if (kind === "data_result") return "result";
  return kind === "result" ? "result_update" : isStatusKind(kind) ? "status_update" : kind;
}

/** Events of these kinds are never dropped or conflated. The last one is current until the analysis is reopened. */
export type TerminalKind = Exclude<EventKind, "status" | "status_completed" | "notice">;

export function isTerminalKind(kind: EventKind): kind is TerminalKind {
  return kind !== "status" && kind !== "status_completed" && kind !== "notice";
}

/** Whether an event of this kind reopens the analysis if it follows a current terminal event. */
export function reopens(kind: EventKind): boolean {
  return kind === "status";
}

export function isStatusKind(kind: EventKind): boolean {
  return kind.startsWith("status");
}

/** The kinds that are stored as another one, which comes closest to it. A member that goes first in the text tells them apart. */
const STORED_AS = {
  status_cancelled: { kind: "status_failed", name: "current_stage", source: '"current_stage":"cancelled"' },
  data_result: { kind: "result", name: "event_type", source: '"event_type":"result"' },
} as const satisfies { readonly [Kind in EventKind]?: FirstMember & { readonly kind: EventKind } };

/**
 * The kinds that brokers keep and send: those of the first release. A gateway of a former release then reads every event,
 * and takes one of a later kind for the one of these that comes closest.
 */
export type StoredKind = Exclude<EventKind, LaterKind>;
type LaterKind = keyof typeof STORED_AS;

export function storedKindOf(kind: EventKind): StoredKind {
  return isLater(kind) ? STORED_AS[kind].kind : kind;
}

/** The kind of an event that is stored as `stored`. `text` is the event as it is sent, beginning with its `event_id`. */
export function kindOfStored(stored: StoredKind, text: string): EventKind {
  if (stored === "status_failed") return isFirst("status_cancelled", text) ? "status_cancelled" : stored;
  if (stored === "result") return isFirst("data_result", text) ? "data_result" : stored;
  return stored;
}

/** A member of an event, and its source. */
interface FirstMember {
  readonly name: string;
  readonly source: string;
}

/** The member that an event of this kind has to begin with, behind its `event_id`; undefined if it may be any. */
export function firstMemberOf(kind: EventKind): FirstMember | undefined {
  return isLater(kind) ? STORED_AS[kind] : undefined;
}

function isLater(kind: EventKind): kind is LaterKind {
  return kind in STORED_AS;
}

function isFirst(kind: LaterKind, text: string): boolean {
  const behindId = text.indexOf('",', EVENT_ID_START.length) + 2;
  return text.startsWith(STORED_AS[kind].source, behindId);
}
