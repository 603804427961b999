import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel, SYSTEM_CHANNEL, userChannel } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { AnalysisFeed } from "./fan-out/analysis-feed.ts";
import type { DeliveryOwner } from "./fan-out/delivery.ts";
import type { FeedLease, Feeds } from "./fan-out/feeds.ts";
import type { NoticeFeed } from "./fan-out/notice-feed.ts";
import type { Outlet } from "./fan-out/outlet.ts";
import { prepareReplay, type ReplayRequest } from "./fan-out/replay.ts";
import { Watch } from "./watch.ts";

export interface WatchRequest {
  readonly analysisId: AnalysisId;
  readonly userId: string;
  readonly grant: AccessGrant;
  readonly outlet: Outlet;
  readonly owner: DeliveryOwner;
  readonly replay: ReplayRequest;
  /** Whether the watch ends with the analysis. */
  readonly untilTerminal: boolean;
  /** Whether statuses may be left out where the client does not keep up. */
  readonly conflates: boolean;
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
    const leases = await this.#lease(request);
    const [analysis] = leases;
    if (!this.mayStillWatch(request.grant, request.analysisId, analysis.feed.viewers)) {
      for (const lease of leases) lease.release();
      return { type: "not_allowed" };
    }
    const watch = new Watch(request, leases, this.#registry);
    try {
      await watch.prepare((feed) => prepareReplay(feed, request.replay, request.untilTerminal));
    } catch (error) {
      watch.end();
      throw error;
    }
    return { type: "watching", watch };
  }

  /** Whether a watcher may go on under a changed list of viewers, or with another token. */
  mayStillWatch(grant: AccessGrant, analysisId: AnalysisId, viewers: ViewerList | undefined): boolean {
    return grant.mayWatch(analysisId, viewers, this.#watchDefault);
  }

  /** All feeds of a watch, or none. */
  async #lease({ analysisId, userId }: WatchRequest): Promise<WatchLeases> {
    const opening = [
      this.#feeds.analysis(analysisChannel(analysisId)),
      this.#feeds.notices(userChannel(userId)),
      this.#feeds.notices(SYSTEM_CHANNEL),
    ] as const;
    const opened = await Promise.allSettled(opening);
    const failed = opened.find((one) => one.status === "rejected");
    if (failed === undefined) return Promise.all(opening);
    for (const one of opened) if (one.status === "fulfilled") one.value.release();
    throw failed.reason;
  }
}

export type WatchLeases = readonly [FeedLease<AnalysisFeed>, FeedLease<NoticeFeed>, FeedLease<NoticeFeed>];
