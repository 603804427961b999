import type { AccessGrant, ViewerList, WatchVerdict } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { FeedRegistry } from "./fan-out/feed-registry.ts";
import { type NoticeRequest, NoticeWatch } from "./notice-watch.ts";
import { Watch, type WatchRequest } from "./watch.ts";

export type WatchAnswer =
  | { readonly type: "watching"; readonly watch: Watch }
  /** This user may not watch this analysis, or nobody declared yet who may. */
  | { readonly type: "not_allowed" | "not_declared" };

/**
 * Admits one connection to one analysis: checks its rights, then replays, then goes live, with no gap between. Sockets
 * and streams use it alike. A connection may watch many analyses.
 */
export class SubscribeToAnalysis {
  readonly #feeds: FeedRegistry;
  readonly #registry: ConnectionRegistry;
  readonly #watchDefault: "allow" | "deny";

  constructor(feeds: FeedRegistry, registry: ConnectionRegistry, watchDefault: "allow" | "deny") {
    this.#feeds = feeds;
    this.#registry = registry;
    this.#watchDefault = watchDefault;
  }

  /**
   * Resolves when everything published from now on will arrive; nothing is sent before `begin`. Rejects with
   * `BrokerUnavailable`, `OutcomeUnknown` or `NewerFormat`, and then nothing is left behind.
   */
  async execute(request: WatchRequest): Promise<WatchAnswer> {
    const lease = await this.#feeds.analysis(analysisChannel(request.analysisId));
    const verdict = this.judge(request.grant, request.analysisId, lease.feed.viewers);
    if (verdict !== "allowed") {
      lease.release();
      return { type: verdict };
    }
    const watch = new Watch(request, lease, this.#registry);
    try {
      await watch.prepare();
    } catch (error) {
      watch.end();
      throw error;
    }
    return { type: "watching", watch };
  }

  /** Whether a watcher may go on under a changed list of viewers, or with another token. */
  judge(grant: AccessGrant, analysisId: AnalysisId, viewers: ViewerList | undefined): WatchVerdict {
    return grant.judge(analysisId, viewers, this.#watchDefault);
  }

  /** The notices that a connection gets, beside all that it watches. */
  notices(request: NoticeRequest): NoticeWatch {
    return new NoticeWatch(this.#feeds, request);
  }
}
