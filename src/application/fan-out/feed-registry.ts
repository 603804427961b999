import type { AnalysisChannel, ChannelName, NoticeChannel } from "../../domain/channel.ts";
import { BrokerUnavailable } from "../errors.ts";
import { canRead } from "../ports/broker-health.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { PubSubPort } from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { AnalysisFeed } from "./analysis-feed.ts";
import type { ChannelFeed } from "./channel-feed.ts";
import { NoticeFeed } from "./notice-feed.ts";

/** A share in a feed. The feed is closed when the last share is given back. */
export interface FeedLease<Feed extends ChannelFeed> {
  readonly feed: Feed;
  /** Idempotent. */
  release(): void;
}

/** All channels watched on this node. One feed a channel, opened by the first watcher, closed after the last. */
export class FeedRegistry {
  readonly #pubSub: PubSubPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #open = new Map<ChannelName, OpenFeed<ChannelFeed>>();

  constructor(pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort) {
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** How many channels this node watches. */
  get size(): number {
    return this.#open.size;
  }

  /** The analyses among them. */
  *analyses(): IterableIterator<AnalysisFeed> {
    for (const { feed } of this.#open.values()) if (feed instanceof AnalysisFeed) yield feed;
  }

  /** Rejects as `PubSubPort.subscribe` and `snapshot` do; then nothing is left open. */
  analysis(channel: AnalysisChannel): Promise<FeedLease<AnalysisFeed>> {
    return this.#lease(channel, () => new AnalysisFeed(channel, this.#pubSub, this.#clock, this.#telemetry));
  }

  notices(channel: NoticeChannel): Promise<FeedLease<NoticeFeed>> {
    return this.#lease(channel, () => new NoticeFeed(channel, this.#pubSub));
  }

  async #lease<Feed extends ChannelFeed>(channel: ChannelName, make: () => Feed): Promise<FeedLease<Feed>> {
    // What an open feed knew before the broker went may be long out of date, and who may watch with it.
    const health = this.#pubSub.health();
    if (health.status === "down" && !canRead(health)) {
      throw new BrokerUnavailable(health.reason, { trouble: { cause: health.cause } });
    }
    // The name of a channel decides the kind of its feed, so the one that is open is a `Feed`.
    const open = (this.#open.get(channel) as OpenFeed<Feed> | undefined) ?? this.#begin(channel, make());
    const lease = new Lease(open);
    try {
      await open.opening;
    } catch (error) {
      lease.release();
      throw error;
    }
    return lease;
  }

  #begin<Feed extends ChannelFeed>(channel: ChannelName, feed: Feed): OpenFeed<Feed> {
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

  #forget(channel: ChannelName, open: OpenFeed<ChannelFeed>): void {
    if (this.#open.get(channel) === open) this.#open.delete(channel);
  }
}

/** A class and no closures: there are three for every connection. */
class Lease<Feed extends ChannelFeed> implements FeedLease<Feed> {
  readonly #open: OpenFeed<Feed>;
  #held = true;

  constructor(open: OpenFeed<Feed>) {
    this.#open = open;
    open.leases++;
  }

  get feed(): Feed {
    return this.#open.feed;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#open.leases--;
    if (this.#open.leases === 0) this.#open.end();
  }
}

interface OpenFeed<Feed extends ChannelFeed> {
  readonly feed: Feed;
  readonly opening: Promise<void>;
  /** After the last lease: closes the feed and forgets it. */
  readonly end: () => void;
  leases: number;
}
