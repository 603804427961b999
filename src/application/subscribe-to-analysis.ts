import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel, SYSTEM_CHANNEL, userChannel } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { Feeds } from "./fan-out/feeds.ts";
import { Watch, type WatchLeases, type WatchRequest } from "./watch.ts";

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
      await watch.prepare();
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
