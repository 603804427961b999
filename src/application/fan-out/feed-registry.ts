import type { AnalysisChannel, ChannelName, NoticeChannel } from "../../domain/channel.ts";
import { BrokerUnavailable } from "../errors.ts";
import { canRead } from "../ports/broker-health.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { PubSubPort } from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { ChannelFeed } from "./channel-feed.ts";
import { NoticeFeed } from "./notice-feed.ts";

/** The feeds of all channels watched on this node. The first watcher of a channel opens its feed, the last one closes it. */
export class FeedRegistry {
  readonly #pubSub: PubSubPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #open = new Map<ChannelName, OpenFeed<AnyFeed>>();

  readonly #stallAfterMs: number;

  /** A running analysis whose worker was silent for `stallAfterMs` has stalled. Default: none ever has. */
  constructor(
    pubSub: PubSubPort,
    clock: ClockPort,
    telemetry: TelemetryPort,
    stallAfterMs = Number.POSITIVE_INFINITY,
  ) {
    this.#stallAfterMs = stallAfterMs;
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** How many channels this node watches. */
  get size(): number {
    return this.#open.size;
  }

  /** The feeds of the analyses among them. */
  *analyses(): IterableIterator<ChannelFeed> {
    for (const { feed } of this.#open.values()) if (feed instanceof ChannelFeed) yield feed;
  }

  /** Rejects as `PubSubPort.subscribe` and `snapshot` do; then nothing is left open. */
  analysis(channel: AnalysisChannel): Promise<FeedLease<ChannelFeed>> {
    return this.#lease(
      channel,
      () => new ChannelFeed(channel, this.#pubSub, this.#clock, this.#telemetry, this.#stallAfterMs),
    );
  }

  /** Rejects as `PubSubPort.subscribe` does; then nothing is left open. */
  notices(channel: NoticeChannel): Promise<FeedLease<NoticeFeed>> {
    return this.#lease(channel, () => new NoticeFeed(channel, this.#pubSub));
  }

  async #lease<Feed extends AnyFeed>(channel: ChannelName, make: () => Feed): Promise<FeedLease<Feed>> {
    // An open feed may be long out of date if the broker is away, and so may its list of viewers.
    const health = this.#pubSub.health(channel);
    if (health.status === "down" && !canRead(health)) {
      throw new BrokerUnavailable(health.reason, { trouble: { cause: health.cause } });
    }
    // The name of a channel decides the kind of its feed, so the one that is open is a `Feed`.
    const open = (this.#open.get(channel) as OpenFeed<Feed> | undefined) ?? this.#begin(channel, make());
    const lease = new FeedLease(open);
    try {
      await open.opening;
    } catch (error) {
      lease.release();
      throw error;
    }
    return lease;
  }

  #begin<Feed extends AnyFeed>(channel: ChannelName, feed: Feed): OpenFeed<Feed> {
    const end = () => {
      this.#forget(channel, open);
      feed.close();
    };
    const open: OpenFeed<Feed> = { feed, opening: feed.open(), end, leases: 0 };
    this.#open.set(channel, open);
    // A feed that cannot be opened must not be handed to the next watcher: that one tries anew.
    open.opening.catch(() => this.#forget(channel, open));
    return open;
  }

  #forget(channel: ChannelName, open: OpenFeed<AnyFeed>): void {
    if (this.#open.get(channel) === open) this.#open.delete(channel);
  }
}

/**
 * A share in a feed, which is closed when the last share is given back. A class and no closures: there are three for
 * every connection.
 */
export class FeedLease<Feed extends AnyFeed> {
  readonly #open: OpenFeed<Feed>;
  #held = true;

  constructor(open: OpenFeed<Feed>) {
    this.#open = open;
    open.leases++;
  }

  get feed(): Feed {
    return this.#open.feed;
  }

  /** Idempotent. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#open.leases--;
    if (this.#open.leases === 0) this.#open.end();
  }
}

type AnyFeed = ChannelFeed | NoticeFeed;

interface OpenFeed<Feed extends AnyFeed> {
  readonly feed: Feed;
  readonly opening: Promise<void>;
  /** After the last lease: closes the feed and forgets it. */
  readonly end: () => void;
  leases: number;
}
