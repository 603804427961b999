import { reasonOf } from "./errors.ts";
import type { ChannelFeed } from "./fan-out/channel-feed.ts";
import type { FeedRegistry } from "./fan-out/feed-registry.ts";
import { canRead } from "./ports/broker-health.ts";
import { MOST_POSITIONS, type PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

/** How often to check: a loss is found by the second check after it, hence well within 5 s. */
export const CHECK_POSITIONS_MS = 1_500;

/**
 * Asks the broker for the positions of the watched analyses. The last event before a silence may be lost without a trace,
 * and so may the broker's own newest events. One command asks for a thousand positions.
 */
export class CheckPositions {
  readonly #feeds: FeedRegistry;
  readonly #pubSub: PubSubPort;
  readonly #telemetry: TelemetryPort;
  #checking = false;

  constructor(feeds: FeedRegistry, pubSub: PubSubPort, telemetry: TelemetryPort) {
    this.#feeds = feeds;
    this.#pubSub = pubSub;
    this.#telemetry = telemetry;
  }

  /** To be called every `CHECK_POSITIONS_MS`. Never rejects; does nothing while the check before is still out. */
  async execute(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    try {
      const feeds = this.#readable();
      for (let first = 0; first < feeds.length; first += MOST_POSITIONS)
        await this.#check(feeds.slice(first, first + MOST_POSITIONS));
    } catch (error) {
      this.#telemetry.log("debug", "positions could not be checked", { message: reasonOf(error) });
    } finally {
      this.#checking = false;
    }
  }

  /** When a broker that is away comes back, or a part of it, every feed reads its channel again anyway. */
  #readable(): readonly ChannelFeed[] {
    const feeds = [...this.#feeds.analyses()];
    if (canRead(this.#pubSub.health())) return feeds;
    return feeds.filter(({ channel }) => canRead(this.#pubSub.health(channel)));
  }

  async #check(feeds: readonly ChannelFeed[]): Promise<void> {
    // A feed that is reading needs no check.
    const asked = feeds
      .filter((feed) => feed.isLive)
      .map((feed) => ({ feed, position: feed.latest.position }));
    if (asked.length === 0) return;
    const positions = await this.#pubSub.positions(asked.map(({ feed }) => feed.channel));
    for (const [index, { feed, position }] of asked.entries()) {
      const broker = positions[index];
      if (broker !== undefined) feed.comparePosition(position, broker);
    }
  }
}
