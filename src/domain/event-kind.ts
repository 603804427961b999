/** The meanings that an event can have to the course of an analysis, so that nobody downstream has to read its text. */
export const EVENT_KINDS = [
  "status",
  "status_completed",
  "status_failed",
  "result",
  "error",
  "notice",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/** The `event_type` that an event of this kind bears. */
export function eventTypeOf(kind: EventKind): string {
  return kind === "result" ? "result_update" : isStatusKind(kind) ? "status_update" : kind;
}

/** Events of these kinds are never dropped or conflated. The last one is current until the analysis is reopened. */
export type TerminalKind = "status_failed" | "result" | "error";

export function isTerminalKind(kind: EventKind): kind is TerminalKind {
  return kind === "result" || kind === "error" || kind === "status_failed";
}

/** Whether an event of this kind reopens the analysis if it follows a current terminal event. */
export function reopens(kind: EventKind): boolean {
  return kind === "status";
}

export function isStatusKind(kind: EventKind): boolean {
  return kind === "status" || kind === "status_completed" || kind === "status_failed";
}
