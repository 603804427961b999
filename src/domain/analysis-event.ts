export type EventKind = "status" | "status_completed" | "status_failed" | "result" | "error" | "notice";

/** An event that passed every rule, encoded once: what is stored is `text` with an `event_id` put before it. */
export interface EncodedEvent {
  readonly kind: EventKind;
  /** `current_stage` of a status_update, else undefined. */
  readonly stage: string | undefined;
  /** ISO 8601, UTC, ending in `Z`. */
  readonly timestamp: string;
  readonly attemptId: string | undefined;
  /** The members of the JSON object after its opening brace: `"event_type":…}`. */
  readonly members: string;
}
