import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisEvent, StatusUpdate } from "../domain/analysis-event.ts";
import { type AnalysisState, markStalled, stateFromSnapshot } from "../domain/analysis-state.ts";
import { type AnalysisChannel, type AnalysisId, analysisChannel, analysisIdOf } from "../domain/channel.ts";
import { formatEventId } from "../domain/event-position.ts";
import type { FairQueue } from "./fair-queue.ts";
import { GatheredReads } from "./gathered-reads.ts";
import type { ChannelSnapshot, PublishedEvent, PubSubPort } from "./ports/pub-sub-port.ts";

export interface ReadAnalysisRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  /** Aborted when whoever asked has gone. */
  readonly abandoned: AbortSignal;
}

/** One object for all who share the read. */
export interface StateAnswer {
  readonly type: "state";
  readonly state: AnalysisState;
  /** The result or error that stands, as it was written; undefined where neither does. */
  readonly terminalText: string | undefined;
}

export type ReadAnswer =
  | StateAnswer
  /** This user may not watch this analysis, hence not read it, or nobody said yet who may. */
  | { readonly type: "not_allowed" | "not_declared" };

/**
 * The folded state of an analysis, right also when its older events were trimmed: the history is not read for it. It is
 * read once for all who ask before that, in turn with the pages of histories, and for nobody who may not watch.
 */
export class ReadAnalysis {
  readonly #pubSub: PubSubPort;
  readonly #watchDefault: "allow" | "deny";
  readonly #stallAfterMs: number;
  readonly #states: GatheredReads<AnalysisChannel, SharedState>;

  constructor(pubSub: PubSubPort, reads: FairQueue, watchDefault: "allow" | "deny", stallAfterMs: number) {
    this.#pubSub = pubSub;
    this.#watchDefault = watchDefault;
    this.#stallAfterMs = stallAfterMs;
    this.#states = new GatheredReads(reads, (channel) => this.#read(channel));
  }

  /**
   * Rejects as `PubSubPort.snapshot` does, with `TooManyReads` and with `ReadAbandoned`. An unknown analysis has a state
   * as well.
   */
  async execute({ analysisId, grant, abandoned }: ReadAnalysisRequest): Promise<ReadAnswer> {
    const channel = analysisChannel(analysisId);
    const judge = (viewers: ViewerList | undefined) => grant.judge(analysisId, viewers, this.#watchDefault);
    const before = judge(await this.#pubSub.viewers(channel));
    if (before !== "allowed") return { type: before };
    const { viewers, answer } = await this.#states.get(channel, { userId: grant.userId ?? "", abandoned });
    const verdict = judge(viewers);
    return verdict === "allowed" ? answer : { type: verdict };
  }

  async #read(channel: AnalysisChannel): Promise<SharedState> {
    const snapshot = await this.#pubSub.snapshot(channel);
    const state = stateFromSnapshot({
      analysisId: analysisIdOf(channel),
      lastStatus: eventOf<StatusUpdate>(snapshot.lastStatus),
      terminal: eventOf<AnalysisEvent>(snapshot.currentTerminal),
      stages: snapshot.stages,
      attemptId: snapshot.attemptId,
      lastEventId: formatEventId(snapshot.position),
    });
    return {
      viewers: snapshot.viewers,
      answer: {
        type: "state",
        state: markStalled(state, silenceOf(snapshot), this.#stallAfterMs),
        terminalText: snapshot.currentTerminal?.text,
      },
    };
  }
}

interface SharedState {
  /** As they were when the state was read. */
  readonly viewers: ViewerList | undefined;
  readonly answer: StateAnswer;
}

/** Silence by the broker's clock: neither the worker's nor this node's has a say. */
function silenceOf({ heardAt, brokerNow }: ChannelSnapshot): number {
  return heardAt === undefined ? 0 : brokerNow - heardAt;
}

/** What was stored had passed every rule, so its shape is known. */
function eventOf<Event extends AnalysisEvent>(stored: PublishedEvent | undefined): Event | undefined {
  return stored === undefined ? undefined : (JSON.parse(stored.text) as Event);
}
