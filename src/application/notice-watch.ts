import type { ViewerList } from "../domain/access-grant.ts";
import { SYSTEM_CHANNEL, userChannel } from "../domain/channel.ts";
import type { ConnectionWriter } from "./fan-out/connection-writer.ts";
import { Delivery } from "./fan-out/delivery.ts";
import type { DeliveryOwner } from "./fan-out/delivery-request.ts";
import type { FeedLease, FeedRegistry } from "./fan-out/feed-registry.ts";
import type { NoticeFeed } from "./fan-out/notice-feed.ts";
import { startLive } from "./fan-out/replay.ts";

export interface NoticeRequest {
  readonly userId: string;
  readonly writer: ConnectionWriter;
  /** As `DeliveryOwner`: notices are live only, so its other callbacks are never called. */
  readonly owner: Pick<DeliveryOwner, "tooSlow" | "failed">;
}

/** One connection's notices: its user's and everybody's. A connection has one, however many analyses it watches. */
export class NoticeWatch implements DeliveryOwner {
  readonly #feeds: FeedRegistry;
  readonly #request: NoticeRequest;
  #leases: readonly FeedLease<NoticeFeed>[] = [];
  #deliveries: readonly Delivery[] = [];
  #ended = false;

  constructor(feeds: FeedRegistry, request: NoticeRequest) {
    this.#feeds = feeds;
    this.#request = request;
  }

  /**
   * Resolves when everything published from now on will arrive; nothing is sent before `begin`. Rejects as
   * `FeedRegistry.notices` does. If it rejects, or was ended meanwhile, nothing is left behind.
   */
  async open(): Promise<void> {
    const opening = [
      this.#feeds.notices(userChannel(this.#request.userId)),
      this.#feeds.notices(SYSTEM_CHANNEL),
    ];
    const opened = await Promise.allSettled(opening);
    this.#leases = opened.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    const failed = opened.find((one) => one.status === "rejected");
    if (failed !== undefined || this.#ended) this.end();
    if (failed !== undefined) throw failed.reason;
    const request = { writer: this.#request.writer, owner: this, ...LIVE_ONLY };
    this.#deliveries = this.#leases.map(({ feed }) => new Delivery(request, feed.broadcaster));
  }

  begin(): void {
    for (const delivery of this.#deliveries) delivery.begin(startLive(delivery.cursor));
  }

  /** Leaves nothing behind, at whatever instant. Idempotent. */
  end(): void {
    this.#ended = true;
    for (const delivery of this.#deliveries) delivery.stop();
    for (const lease of this.#leases) lease.release();
    this.#leases = [];
  }

  tooSlow(): void {
    this.#request.owner.tooSlow();
  }

  failed(error: unknown): void {
    this.#request.owner.failed(error);
  }

  startsAfresh(): void {}
  caughtUp(): void {}
  finished(): void {}
  viewersChanged(_viewers: ViewerList): void {}
}

const LIVE_ONLY = {
  replay: { mode: "none", after: undefined },
  untilTerminal: false,
  conflates: false,
} as const;
