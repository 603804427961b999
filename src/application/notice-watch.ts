import type { ViewerList } from "../domain/access-grant.ts";
import { SYSTEM_CHANNEL, userChannel } from "../domain/channel.ts";
import type { ConnectionWriter } from "./fan-out/connection-writer.ts";
import { Delivery, type DeliveryOwner } from "./fan-out/delivery.ts";
import { withWhatComes } from "./fan-out/delivery-start.ts";
import type { FeedLease, FeedRegistry } from "./fan-out/feed-registry.ts";
import type { NoticeFeed } from "./fan-out/notice-feed.ts";

export interface NoticeRequest {
  readonly userId: string;
  readonly writer: ConnectionWriter;
  /** As `DeliveryOwner`: nothing else can become of notices, which are live only. */
  readonly owner: Pick<DeliveryOwner, "tooSlow" | "failed">;
}

/** The notices for one connection's user and for everybody: once a connection, however many analyses it watches. */
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
   * `FeedRegistry.notices` does, and then nothing is left behind, nor where it was ended meanwhile.
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
    const { writer } = this.#request;
    this.#deliveries = this.#leases.map(({ feed }) => new Delivery(writer, feed, this, LIVE_ONLY));
  }

  begin(): void {
    for (const delivery of this.#deliveries) delivery.begin(withWhatComes(delivery.cursor));
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
  finished(): void {}
  viewersChanged(_viewers: ViewerList): void {}
}

const LIVE_ONLY = { untilTerminal: false, conflates: false, replay: "none", after: undefined } as const;
