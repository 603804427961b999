import type { AnalysisEvent, StatusUpdate } from "../domain/analysis-event.ts";
import { type AnalysisState, markStalled, stateFromSnapshot } from "../domain/analysis-state.ts";
import type { AnalysisId } from "../domain/channel.ts";
import { formatEventId } from "../domain/event-position.ts";
import type { ChannelSnapshot, PublishedEvent } from "./ports/pub-sub-port.ts";

/** The state of an analysis, all its events folded. */
export interface FoldedState {
  readonly state: AnalysisState;
  /** The current terminal event as it was written; undefined if there is none. */
  readonly terminalText: string | undefined;
}

/** Folds a snapshot of the broker's. A running analysis whose worker was silent for `stallAfterMs` is stalled. */
export function foldedState(
  analysisId: AnalysisId,
  snapshot: ChannelSnapshot,
  stallAfterMs: number,
): FoldedState {
  const state = stateFromSnapshot({
    analysisId,
    lastStatus: eventOf<StatusUpdate>(snapshot.lastStatus),
    terminal: eventOf<AnalysisEvent>(snapshot.currentTerminal),
    stages: snapshot.stages,
    attemptId: snapshot.attemptId,
    cancel: snapshot.cancel,
    cancelAtEnd: snapshot.cancelAtEnd,
    lastEventId: formatEventId(snapshot.position),
  });
  return {
    state: markStalled(state, silenceOf(snapshot), stallAfterMs),
    terminalText: snapshot.currentTerminal?.text,
  };
}

/** The state as JSON. It repeats the current terminal event as it was written, with its publisher's numbers and nesting. */
export function stateText({ state, terminalText }: FoldedState): string {
  const members = Object.entries(state).map(([name, value]) => {
    const stands = (name === "result" || name === "error") && value !== null;
    return `${JSON.stringify(name)}:${stands && terminalText !== undefined ? terminalText : (JSON.stringify(value) ?? "null")}`;
  });
  return `{${members.join(",")}}`;
}

/** Milliseconds of silence by the broker's clock. The clocks of the worker and of this node do not matter. */
function silenceOf({ heardAt, brokerNow }: ChannelSnapshot): number {
  return heardAt === undefined ? 0 : brokerNow - heardAt;
}

/** A stored event has passed every rule, so its shape is known. */
function eventOf<Event extends AnalysisEvent>(stored: PublishedEvent | undefined): Event | undefined {
  return stored === undefined ? undefined : (JSON.parse(stored.text) as Event);
}
