/** What an event means to the course of an analysis, so that nobody downstream has to read its text. */
export type EventKind = "status" | "status_completed" | "status_failed" | "result" | "error" | "notice";

/** The `event_type` that an event of this kind bears. */
export function eventTypeOf(kind: EventKind): string {
  return kind === "result" ? "result_update" : isStatusKind(kind) ? "status_update" : kind;
}

/** The kinds that are never dropped and never conflated, and stand until the analysis is reopened. */
export type TerminalKind = "status_failed" | "result" | "error";

export function isTerminalKind(kind: EventKind): kind is TerminalKind {
  return kind === "result" || kind === "error" || kind === "status_failed";
}

/** Whether an event of this kind, coming after a standing terminal event, means that the work began again. */
export function reopens(kind: EventKind): boolean {
  return kind === "status";
}

export function isStatusKind(kind: EventKind): boolean {
  return kind === "status" || kind === "status_completed" || kind === "status_failed";
}
