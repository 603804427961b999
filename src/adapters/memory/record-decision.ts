import type { AttemptRefusal, StageMark } from "../../application/ports/pub-sub-port.ts";
import type { EncodedEvent, EventKind } from "../../domain/analysis-event.ts";

type TerminalKind = "result" | "error" | "status_failed";

/** What a channel must remember of its past to judge the next event, whatever was trimmed from its history. */
export interface DecisionState {
  readonly attempt: string | undefined;
  readonly pastAttempts: readonly string[];
  /** The last terminal event of the current attempt. */
  readonly outcome: TerminalKind | undefined;
  readonly terminalStands: boolean;
  readonly stages: readonly StageMark[];
}

export type Decision =
  | { readonly accepted: true; readonly state: DecisionState; readonly reopens: boolean }
  | { readonly accepted: false; readonly code: AttemptRefusal };

export const NO_EVENTS: DecisionState = {
  attempt: undefined,
  pastAttempts: [],
  outcome: undefined,
  terminalStands: false,
  stages: [],
};

const MOST_STAGE_MARKS = 200;
const MOST_PAST_ATTEMPTS = 100;

/** Whether `event` may be the next one, at `offset`, and what is true after it. */
export function decide(state: DecisionState, event: EncodedEvent, offset: number): Decision {
  const { attemptId, kind } = event;
  const begins = attemptId !== undefined && attemptId !== state.attempt;
  if (begins && state.pastAttempts.includes(attemptId))
    return { accepted: false, code: "attempt_superseded" };
  if (attemptId !== undefined && !begins && !mayFollow(state.outcome, kind)) {
    return { accepted: false, code: "attempt_ended" };
  }
  const reopens = begins || (attemptId === undefined && kind === "status" && state.terminalStands);
  const terminal = isTerminal(kind) ? kind : undefined;
  return {
    accepted: true,
    reopens,
    state: {
      attempt: begins ? attemptId : state.attempt,
      pastAttempts:
        begins && state.attempt !== undefined
          ? [...state.pastAttempts, state.attempt].slice(-MOST_PAST_ATTEMPTS)
          : state.pastAttempts,
      outcome: attemptId === undefined ? state.outcome : (terminal ?? (begins ? undefined : state.outcome)),
      terminalStands: terminal !== undefined || (state.terminalStands && !reopens),
      stages: marked(reopens ? [] : state.stages, event, offset),
    },
  };
}

export function isTerminal(kind: EventKind): kind is TerminalKind {
  return kind === "result" || kind === "error" || kind === "status_failed";
}

function mayFollow(outcome: TerminalKind | undefined, kind: EventKind): boolean {
  switch (outcome) {
    case undefined:
      return true;
    case "result":
      return kind === "status_completed";
    case "error":
      return kind === "status_failed";
    case "status_failed":
      return kind === "error";
  }
}

function marked(stages: readonly StageMark[], event: EncodedEvent, offset: number): readonly StageMark[] {
  const { stage, timestamp: at } = event;
  if (stage === undefined || stage === stages.at(-1)?.stage) return stages;
  return [...stages, { stage, at, offset }].slice(-MOST_STAGE_MARKS);
}
