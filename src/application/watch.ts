import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { EventPosition } from "../domain/event-position.ts";
import type { ChannelFeed } from "./fan-out/channel-feed.ts";
import { Delivery } from "./fan-out/delivery.ts";
import type { DeliveryRequest } from "./fan-out/delivery-request.ts";
import type { FeedLease } from "./fan-out/feed-registry.ts";
import {
  nothingLeft,
  type PreparedReplay,
  prepareReplay,
  resumedOf,
  startOf,
} from "./fan-out/prepared-replay.ts";

/** One connection's admitted watch of one analysis, from `begin` to `end`. A connection may have many. */
export class Watch {
  readonly #request: WatchRequest;
  readonly #lease: FeedLease<ChannelFeed>;
  readonly #registry: ConnectionRegistry;
  readonly #feed: ChannelFeed;
  readonly #delivery: Delivery;
  #state: "prepared" | "begun" | "ended" = "prepared";
  #prepared: PreparedReplay;

  constructor(request: WatchRequest, lease: FeedLease<ChannelFeed>, registry: ConnectionRegistry) {
    this.#request = request;
    this.#lease = lease;
    this.#registry = registry;
    this.#feed = lease.feed;
    this.#delivery = new Delivery(request, lease.feed.broadcaster, lease.feed);
    this.#prepared = NOTHING_READ;
  }

  get viewers(): ViewerList | undefined {
    return this.#feed.viewers;
  }

  /** The position up to which the client was sent all that it is to get; undefined before the first event. */
  get position(): EventPosition | undefined {
    return this.#delivery.position;
  }

  /** As `connection_established` says it. To be read in the turn in which `begin` is called, before it. */
  get resumed(): boolean | null {
    return resumedOf(this.#prepared, this.#delivery.survivedMove);
  }

  /** Whether it would end at once without sending anything, since the client has seen the end. */
  get nothingLeft(): boolean {
    return this.#request.untilTerminal && this.resumed === true && nothingLeft(this.#prepared, this.#feed);
  }

  /** Reads what the replay needs; the ring keeps what is published meanwhile. Rejects as the methods of `PubSubPort` do. */
  async prepare(): Promise<void> {
    const { replay, untilTerminal } = this.#request;
    this.#prepared = await prepareReplay(this.#feed, this.#delivery, replay, untilTerminal);
  }

  /** Sends the replay and lets live events follow; in one turn, so that nothing can fall between the two. */
  begin(): void {
    if (this.#state !== "prepared") return;
    this.#state = "begun";
    this.#registry.watch(this.#request.writer.connection.id, this.#request.analysisId);
    const start = startOf(this.#prepared, this.#feed, this.#delivery.cursor);
    // The delivery lets go of the history as it sends it, and so do we.
    this.#prepared = NOTHING_READ;
    this.#delivery.begin(start);
  }

  /** Leaves nothing behind. Idempotent. */
  end(): void {
    // Only if it put it there: by now the connection may watch the same analysis anew.
    if (this.#state === "begun")
      this.#registry.unwatch(this.#request.writer.connection.id, this.#request.analysisId);
    this.#state = "ended";
    this.#delivery.stop();
    this.#lease.release();
  }
}

const NOTHING_READ: PreparedReplay = { type: "latest", resumed: null, mode: "none" };

/** A connection that wants to watch an analysis, and how. */
export interface WatchRequest extends DeliveryRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
}
