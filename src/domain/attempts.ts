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

/** What is kept of an analysis must have an end: past this many the oldest attempt is forgotten. */
export const PAST_ATTEMPTS_KEPT = 1_000;

/** Whether the event is the first of an attempt not seen before; `refusal` must have let it pass. */
export function beginsAttempt(attempts: Attempts, event: EncodedEvent): boolean {
  return event.attemptId !== undefined && event.attemptId !== attempts.current;
}

/** Why the event may not be the next one, or undefined where it may. */
export function refusal(attempts: Attempts, event: EncodedEvent): AttemptRefusal | undefined {
  if (event.attemptId === undefined) return undefined;
  if (event.attemptId !== attempts.current) {
    return attempts.past.includes(event.attemptId) ? "attempt_superseded" : undefined;
  }
  return mayFollow(attempts.outcome, event.kind) ? undefined : "attempt_ended";
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

/** Workers report an end in two halves, in either order where it failed; anything else after it is a stray. */
function mayFollow(outcome: TerminalKind | undefined, kind: EventKind): boolean {
  switch (outcome) {
    case undefined:
      return true;
    case "result":
      return kind === "status_completed";
    case "status_failed":
      return kind === "error";
    case "error":
      return kind === "status_failed";
  }
}
