import type { AccessGrant } from "../domain/access-grant.ts";
import type { AnalysisEvent, StatusUpdate } from "../domain/analysis-event.ts";
import { type AnalysisState, markStalled, stateFromSnapshot } from "../domain/analysis-state.ts";
import { type AnalysisId, analysisChannel } from "../domain/channel.ts";
import { formatEventId } from "../domain/event-position.ts";
import type { ChannelSnapshot, PublishedEvent, PubSubPort } from "./ports/pub-sub-port.ts";

export type ReadAnswer =
  /** `terminalText`: the result or error that stands, as it was written; undefined where neither does. */
  | { readonly type: "state"; readonly state: AnalysisState; readonly terminalText: string | undefined }
  /** This user may not watch this analysis, hence not read it, or nobody said yet who may. */
  | { readonly type: "not_allowed" | "not_declared" };

/** The folded state of an analysis, right also when its older events were trimmed: the history is not read for it. */
export class ReadAnalysis {
  readonly #pubSub: PubSubPort;
  readonly #watchDefault: "allow" | "deny";
  readonly #stallAfterMs: number;

  constructor(pubSub: PubSubPort, watchDefault: "allow" | "deny", stallAfterMs: number) {
    this.#pubSub = pubSub;
    this.#watchDefault = watchDefault;
    this.#stallAfterMs = stallAfterMs;
  }

  /** One command at the broker; rejects as `PubSubPort.snapshot` does. An unknown analysis has a state as well. */
  async execute(analysisId: AnalysisId, grant: AccessGrant): Promise<ReadAnswer> {
    const snapshot = await this.#pubSub.snapshot(analysisChannel(analysisId));
    const verdict = grant.judge(analysisId, snapshot.viewers, this.#watchDefault);
    if (verdict !== "allowed") return { type: verdict };
    const state = stateFromSnapshot({
      analysisId,
      lastStatus: eventOf<StatusUpdate>(snapshot.lastStatus),
      terminal: eventOf<AnalysisEvent>(snapshot.standingTerminal),
      stages: snapshot.stages,
      attemptId: snapshot.attemptId,
      lastEventId: formatEventId(snapshot.position),
    });
    return {
      type: "state",
      state: markStalled(state, silenceOf(snapshot), this.#stallAfterMs),
      terminalText: snapshot.standingTerminal?.text,
    };
  }
}

/** Silence by the broker's clock: neither the worker's nor this node's has a say. */
function silenceOf({ heardAt, brokerNow }: ChannelSnapshot): number {
  return heardAt === undefined ? 0 : brokerNow - heardAt;
}

/** What was stored had passed every rule, so its shape is known. */
function eventOf<Event extends AnalysisEvent>(stored: PublishedEvent | undefined): Event | undefined {
  return stored === undefined ? undefined : (JSON.parse(stored.text) as Event);
}
