import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel, SYSTEM_CHANNEL, userChannel } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { AnalysisFeed } from "./fan-out/analysis-feed.ts";
import type { ChannelFeed } from "./fan-out/channel-feed.ts";
import { Delivery, type DeliveryOwner } from "./fan-out/delivery.ts";
import type { FeedLease, Feeds } from "./fan-out/feeds.ts";
import type { Outlet } from "./fan-out/outlet.ts";

export interface WatchRequest {
  readonly analysisId: AnalysisId;
  readonly userId: string;
  readonly grant: AccessGrant;
  readonly outlet: Outlet;
  readonly owner: DeliveryOwner;
}

export type WatchAnswer =
  | { readonly type: "watching"; readonly watch: Watch }
  /** This user may not watch this analysis. */
  | { readonly type: "not_allowed" };

/**
 * Admits one connection to one analysis: may it watch, then replay, then live, with no gap between, and the notices
 * for its user and for everybody beside it.
 */
export class SubscribeToAnalysis {
  readonly #feeds: Feeds;
  readonly #registry: ConnectionRegistry;
  readonly #watchDefault: "allow" | "deny";

  constructor(feeds: Feeds, registry: ConnectionRegistry, watchDefault: "allow" | "deny") {
    this.#feeds = feeds;
    this.#registry = registry;
    this.#watchDefault = watchDefault;
  }

  /**
   * Resolves when everything published from now on will arrive; nothing is sent before `begin`. Rejects with
   * `BrokerUnavailable`, `OutcomeUnknown` or `NewerFormat`, and then nothing is left behind.
   */
  async execute(request: WatchRequest): Promise<WatchAnswer> {
    const opened = await Promise.allSettled([
      this.#feeds.analysis(analysisChannel(request.analysisId)),
      this.#feeds.notices(userChannel(request.userId)),
      this.#feeds.notices(SYSTEM_CHANNEL),
    ]);
    const leases: FeedLease<ChannelFeed>[] = opened.flatMap((one) =>
      one.status === "fulfilled" ? [one.value] : [],
    );
    const failed = opened.find((one) => one.status === "rejected");
    const analysis = opened[0].status === "fulfilled" ? opened[0].value.feed : undefined;
    if (failed !== undefined || analysis === undefined || !this.#mayWatch(request, analysis.viewers)) {
      for (const lease of leases) lease.release();
      if (failed !== undefined) throw failed.reason;
      return { type: "not_allowed" };
    }
    return { type: "watching", watch: new Watch(request, analysis, leases, this.#registry) };
  }

  /** Whether a watcher may go on under a changed list of viewers, or with another token. */
  mayStillWatch(grant: AccessGrant, analysisId: AnalysisId, viewers: ViewerList | undefined): boolean {
    return grant.mayWatch(analysisId, viewers, this.#watchDefault);
  }

  #mayWatch({ grant, analysisId }: WatchRequest, viewers: ViewerList | undefined): boolean {
    return this.mayStillWatch(grant, analysisId, viewers);
  }
}

/** One connection's admitted watch of one analysis, from `begin` to `end`. */
export class Watch {
  readonly #request: WatchRequest;
  readonly #feed: AnalysisFeed;
  readonly #leases: readonly FeedLease<ChannelFeed>[];
  readonly #registry: ConnectionRegistry;
  readonly #deliveries: readonly Delivery[];

  constructor(
    request: WatchRequest,
    feed: AnalysisFeed,
    leases: readonly FeedLease<ChannelFeed>[],
    registry: ConnectionRegistry,
  ) {
    this.#request = request;
    this.#feed = feed;
    this.#leases = leases;
    this.#registry = registry;
    this.#deliveries = leases.map((lease) => new Delivery(request.outlet, lease.feed.fanout, request.owner));
  }

  get viewers(): ViewerList | undefined {
    return this.#feed.viewers;
  }

  /** Sends the replay and lets live events follow; in one turn, so that nothing can fall between the two. */
  begin(): void {
    this.#registry.watch(this.#request.outlet.connection.id, this.#request.analysisId);
    const [analysis, ...notices] = this.#deliveries;
    for (const delivery of notices) delivery.begin([]);
    analysis?.begin(this.#feed.latest());
  }

  /** Leaves nothing behind. Idempotent. */
  end(): void {
    this.#registry.unwatch(this.#request.outlet.connection.id, this.#request.analysisId);
    for (const delivery of this.#deliveries) delivery.stop();
    for (const lease of this.#leases) lease.release();
  }
}
