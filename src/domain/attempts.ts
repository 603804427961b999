import type { EncodedEvent } from "./analysis-event.ts";
import { type EventKind, isTerminalKind, type TerminalKind } from "./event-kind.ts";

export type AttemptRefusal = "attempt_superseded" | "attempt_ended";

/** The runs of the worker that an analysis has seen; events without `attempt_id` belong to none and change nothing. */
export interface Attempts {
  readonly current: string | undefined;
  /** The earlier ones, the oldest first. */
  readonly past: readonly string[];
  /** The last terminal event of the current one. */
  readonly outcome: TerminalKind | undefined;
}

export const NO_ATTEMPTS: Attempts = { current: undefined, past: [], outcome: undefined };

/** A channel keeps the names of so many earlier attempts. Past that it forgets the oldest. */
export const PAST_ATTEMPTS_KEPT = 1_000;

/**
 * The one kind of event that an attempt may still bring after its terminal event, if there is one. Workers report an end in two halves,
 * and a failure in either order. Anything else is a stray.
 */
export const SECOND_HALF: Readonly<Record<TerminalKind, EventKind | undefined>> = {
  result: "status_completed",
  data_result: "status_completed",
  status_failed: "error",
  error: "status_failed",
  status_cancelled: undefined,
};

/** Whether the event is the first of a new attempt; `refusal` must have let it pass. */
export function beginsAttempt(attempts: Attempts, event: EncodedEvent): boolean {
  return event.attemptId !== undefined && event.attemptId !== attempts.current;
}

/** Whether another attempt has replaced the one of this name: its worker is no longer the analysis' own. */
export function isSuperseded({ current, past }: Attempts, attemptId: string | undefined): boolean {
  return attemptId !== undefined && attemptId !== current && past.includes(attemptId);
}

/** Answers why the event may not be the next one, or undefined if it may. */
export function refusal(attempts: Attempts, event: EncodedEvent): AttemptRefusal | undefined {
  if (event.attemptId === undefined) return undefined;
  if (isSuperseded(attempts, event.attemptId)) return "attempt_superseded";
  if (event.attemptId !== attempts.current) return undefined;
  const { outcome } = attempts;
  return outcome === undefined || event.kind === SECOND_HALF[outcome] ? undefined : "attempt_ended";
}

/** The attempts after an event that was not refused. */
export function attemptsAfter(attempts: Attempts, event: EncodedEvent): Attempts {
  if (event.attemptId === undefined) return attempts;
  const ending = isTerminalKind(event.kind) ? event.kind : undefined;
  if (!beginsAttempt(attempts, event)) {
    return ending === undefined ? attempts : { ...attempts, outcome: ending };
  }
  const { current, past } = attempts;
  return {
    current: event.attemptId,
    past: current === undefined ? past : [...past, current].slice(-PAST_ATTEMPTS_KEPT),
    outcome: ending,
  };
}
