import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import { type AnalysisChannel, type AnalysisId, analysisChannel, analysisIdOf } from "../domain/channel.ts";
import type { AccessPolicy } from "./access-policy.ts";
import type { FairQueue } from "./fair-queue.ts";
import { type FoldedState, foldedState } from "./folded-state.ts";
import { GatheredReads } from "./gathered-reads.ts";
import type { PubSubPort } from "./ports/pub-sub-port.ts";

interface ReadAnalysisRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  /** Aborted when the client has gone. */
  readonly abandoned: AbortSignal;
}

/** The same object for all who share the read. */
export interface StateAnswer extends FoldedState {
  readonly type: "state";
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
    return {
      viewers: snapshot.viewers,
      answer: { type: "state", ...foldedState(analysisIdOf(channel), snapshot, this.#stallAfterMs) },
    };
  }
}

interface SharedState {
  /** The declared viewers when the state was read. */
  readonly viewers: ViewerList | undefined;
  readonly answer: StateAnswer;
}
