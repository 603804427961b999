import { analysisChannel } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { AccessPolicy } from "./access-policy.ts";
import type { FeedRegistry } from "./fan-out/feed-registry.ts";
import { type NoticeRequest, NoticeWatch } from "./notice-watch.ts";
import { Watch, type WatchRequest } from "./watch.ts";

type WatchAnswer =
  | { readonly type: "watching"; readonly watch: Watch }
  /** The policy refused: the user may not watch this analysis, or nobody declared yet who may. */
  | { readonly type: "not_allowed" | "not_declared" };

/**
 * Subscribes one connection to one analysis: access, then replay, then live events, with no gap in between. A connection
 * may watch several analyses. WebSockets and event streams use it alike.
 */
export class SubscribeToAnalysis {
  readonly #feeds: FeedRegistry;
  readonly #registry: ConnectionRegistry;
  readonly #access: AccessPolicy;

  constructor(feeds: FeedRegistry, registry: ConnectionRegistry, access: AccessPolicy) {
    this.#feeds = feeds;
    this.#registry = registry;
    this.#access = access;
  }

  /**
   * Resolves when everything published from now on will arrive; nothing is sent before `begin`. Rejects with
   * `AccessUndecided` of the policy, and with `BrokerUnavailable`, `OutcomeUnknown` or `NewerFormat`. Leaves nothing
   * behind then.
   */
  async execute(request: WatchRequest): Promise<WatchAnswer> {
    const { analysisId, grant } = request;
    const lease = await this.#feeds.analysis(analysisChannel(analysisId));
    let watch: Watch | undefined;
    try {
      const verdict = await this.#access.mayWatch({ analysisId, grant, viewers: lease.feed.viewers });
      if (verdict !== "allowed") {
        lease.release();
        return { type: verdict };
      }
      watch = new Watch(request, lease, this.#registry);
      await watch.prepare();
      return { type: "watching", watch };
    } catch (error) {
      if (watch === undefined) lease.release();
      else watch.end();
      throw error;
    }
  }

  /** Subscribes a connection to the notices for its user and for everybody, whatever analyses it watches. */
  notices(request: NoticeRequest): NoticeWatch {
    return new NoticeWatch(this.#feeds, request);
  }
}
