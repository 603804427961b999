import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisEvent, StatusUpdate } from "../domain/analysis-event.ts";
import { type AnalysisState, markStalled, stateFromSnapshot } from "../domain/analysis-state.ts";
import { type AnalysisChannel, type AnalysisId, analysisChannel, analysisIdOf } from "../domain/channel.ts";
import { formatEventId } from "../domain/event-position.ts";
import type { AccessPolicy } from "./access-policy.ts";
import type { FairQueue } from "./fair-queue.ts";
import { GatheredReads } from "./gathered-reads.ts";
import type { ChannelSnapshot, PublishedEvent, PubSubPort } from "./ports/pub-sub-port.ts";

interface ReadAnalysisRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  /** Aborted when the client has gone. */
  readonly abandoned: AbortSignal;
}

/** The same object for all who share the read. */
export interface StateAnswer {
  readonly type: "state";
  readonly state: AnalysisState;
  /** The current terminal event as it was written; undefined if there is none. */
  readonly terminalText: string | undefined;
}

export type ReadAnswer =
  | StateAnswer
  /** The policy refused: the user may not watch this analysis, or nobody declared yet who may. */
  | { readonly type: "not_allowed" | "not_declared" };

/**
 * Reads the folded state of an analysis. It is right although older events were trimmed, because the history is not read
 * for it. One read serves all who asked before it began. It takes its turn among the reads of histories. Nothing is read
 * for somebody who may not watch.
 */
export class ReadAnalysis {
  readonly #pubSub: PubSubPort;
  readonly #access: AccessPolicy;
  readonly #stallAfterMs: number;
  readonly #states: GatheredReads<AnalysisChannel, SharedState>;

  constructor(pubSub: PubSubPort, reads: FairQueue, access: AccessPolicy, stallAfterMs: number) {
    this.#pubSub = pubSub;
    this.#access = access;
    this.#stallAfterMs = stallAfterMs;
    this.#states = new GatheredReads(reads, (channel) => this.#read(channel));
  }

  /**
   * Rejects as `PubSubPort.snapshot` does, with `AccessUndecided`, `TooManyReads` and `ReadAbandoned`. An unknown analysis
   * has a state as well.
   */
  async execute({ analysisId, grant, abandoned }: ReadAnalysisRequest): Promise<ReadAnswer> {
    const channel = analysisChannel(analysisId);
    const viewersBefore = await this.#pubSub.viewers(channel);
    const before = await this.#access.mayWatch({ analysisId, grant, viewers: viewersBefore });
    if (before !== "allowed") return { type: before };
    const { viewers, answer } = await this.#states.get(channel, { userId: grant.userId ?? "", abandoned });
    const verdict = this.#access.mayGoOn({ analysisId, grant, viewers });
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
      cancel: snapshot.cancel,
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
  /** The declared viewers when the state was read. */
  readonly viewers: ViewerList | undefined;
  readonly answer: StateAnswer;
}

/** Milliseconds of silence by the broker's clock. The clocks of the worker and of this node do not matter. */
function silenceOf({ heardAt, brokerNow }: ChannelSnapshot): number {
  return heardAt === undefined ? 0 : brokerNow - heardAt;
}

/** A stored event has passed every rule, so its shape is known. */
function eventOf<Event extends AnalysisEvent>(stored: PublishedEvent | undefined): Event | undefined {
  return stored === undefined ? undefined : (JSON.parse(stored.text) as Event);
}
