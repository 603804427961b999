import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { CHANNEL_COMMANDS, type ChannelCommands, subscribedBy } from "./channel-commands.ts";
import { movedTo } from "./redis-errors.ts";
import type { RedisLinks } from "./redis-links.ts";
import type { RedisPrimary } from "./slot-owners.ts";
import { SubscriptionLink } from "./subscription-link.ts";

interface WantedChannelsOptions {
  readonly primary: RedisPrimary;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly links: RedisLinks;
  /** Makes the name of a channel for probes that this primary serves. */
  readonly probeChannel: () => string;
  /** Publishes at this primary, over another connection. Resolves with how many connections it was sent to. */
  readonly publish: (channel: string, message: string) => Promise<number>;
  readonly onMessage: (channel: string, message: string) => void;
  /** Called when Redis delivers the messages of a wanted channel from now on: for the first time, or again. */
  readonly onJoined: (channel: string) => void;
  /** Called when the connection broke: Redis delivers nothing on it. */
  readonly onLost: () => void;
  /** Called when the primary no longer serves a channel. The error is its answer; undefined if it dropped the channel unasked. */
  readonly onMoved: (error: unknown) => void;
}

/** The most channels of one SUBSCRIBE or UNSUBSCRIBE: many at once are fast, too many keep Redis from anything else. */
const BATCH = 500;
const GATHER_MS = 5;
/** A primary that refers a channel to itself, or to one that nobody knows yet, is asked again after so long. */
const AGAIN_MS = 200;

/**
 * A connection that listens. One loop subscribes to the channels that are wanted and unsubscribes from the others, a
 * batch at a time, so that a SUBSCRIBE and an UNSUBSCRIBE of one channel cannot overtake each other.
 */
export class WantedChannels {
  readonly #options: WantedChannelsOptions;
  readonly #clock: ClockPort;
  readonly #link: SubscriptionLink;
  readonly #commands: ChannelCommands;
  readonly #wanted = new Set<string>();
  /** The channels whose messages Redis delivers on this connection. */
  readonly #subscribed = new Set<string>();
  #lookDue = false;
  /** The channels for which a SUBSCRIBE or UNSUBSCRIBE may be due. */
  readonly #changed = new Set<string>();
  /** The callers that wait for an UNSUBSCRIBE, by channel. */
  readonly #departures = new Map<string, PromiseWithResolvers<void>>();
  /** Counts connections: an answer of an earlier one says nothing about this one. */
  #connection = 0;
  #connected = false;
  /** The connection that the loop is at work on. */
  #loopOn: number | undefined;

  constructor(options: WantedChannelsOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const { target, ownChannels } = options.primary;
    this.#commands = CHANNEL_COMMANDS[ownChannels];
    this.#link = new SubscriptionLink({
      ...{ ...options, target, ownChannels, purpose: "subscriptions" },
      onReady: () => this.#restore(),
      onLost: () => {
        this.#lose();
        options.onLost();
      },
    });
    const { redis } = this.#link;
    redis.on(this.#commands.message, options.onMessage);
    // The client tells so of each channel that the server dropped, and does not name it.
    redis.on("moved", () => this.#mayHaveMoved());
    // It takes a drop for the answer to an UNSUBSCRIBE that is under way. Answers then come one too early, until one is left over.
    redis.on("error", ({ message }: Error) => {
      if (message.startsWith("Command queue state")) this.#mayHaveMoved();
    });
  }

  /** Why messages may be missed, or undefined. */
  get away(): BrokerTrouble | undefined {
    return this.#link.away;
  }

  /** Resolves when something can be subscribed. Rejects with `BrokerUnavailable`. */
  async untilUp(): Promise<void> {
    if (this.#link.starting) await this.#link.started;
    this.#link.assertUp();
  }

  /** Whether Redis delivers the messages of this channel. */
  delivers(channel: string): boolean {
    return this.#subscribed.has(channel);
  }

  /** Subscribes to the channel on this connection and on each that follows, until `leave`. */
  want(channel: string): void {
    this.#wanted.add(channel);
    if (!this.#subscribed.has(channel)) this.#change(channel);
  }

  /** Resolves when Redis has unsubscribed the channel, or somebody wants it again. Never rejects. */
  async leave(channel: string): Promise<void> {
    if (this.#wanted.delete(channel) && this.#subscribed.has(channel)) {
      this.#departures.set(channel, this.#departures.get(channel) ?? Promise.withResolvers());
      this.#change(channel);
    }
    await this.#departures.get(channel)?.promise;
  }

  close(): void {
    this.#wanted.clear();
    this.#link.close();
    this.#lose();
  }

  #change(channel: string): void {
    if (!this.#connected) return;
    this.#changed.add(channel);
    if (this.#loopOn === this.#connection) return;
    this.#loopOn = this.#connection;
    // Later, so that all changes of this turn go into one batch.
    queueMicrotask(() => void this.#settle(this.#connection));
  }

  /** Never rejects. Ends when nothing is left to change, or with its connection. */
  async #settle(connection: number): Promise<void> {
    try {
      while (this.#changed.size > 0 && connection === this.#connection) {
        const batch = this.#takeBatch();
        await this.#join(
          batch.filter((channel) => this.#wanted.has(channel) && !this.#subscribed.has(channel)),
        );
        await this.#part(
          batch.filter((channel) => !this.#wanted.has(channel) && this.#subscribed.has(channel)),
        );
        // If a subscriber came before the UNSUBSCRIBE was sent, those that left have nothing to wait for.
        for (const channel of batch) if (this.#wanted.has(channel)) this.#departed(channel);
        if (this.#changed.size > 0 && batch.length < BATCH) await this.#gather();
      }
    } catch (error) {
      if (connection === this.#connection) this.#link.refused(error);
      return;
    }
    if (this.#loopOn !== connection) return;
    this.#loopOn = undefined;
    this.#link.accepted();
  }

  /** While many come and go, few large batches cost Redis less than many small ones. */
  #gather(): Promise<void> {
    return new Promise((resolve) => this.#clock.after(GATHER_MS, resolve));
  }

  #takeBatch(): string[] {
    const batch: string[] = [];
    for (const channel of this.#changed) {
      this.#changed.delete(channel);
      if (batch.push(channel) === BATCH) break;
    }
    return batch;
  }

  async #join(channels: readonly string[]): Promise<void> {
    if (channels.length === 0) return;
    const connection = this.#connection;
    const { redis } = this.#link;
    const moved = await this.#unlessMoved(channels, (group) => this.#commands.subscribe(redis, group));
    if (connection !== this.#connection) return;
    const delivered = this.#commands.mayMove ? subscribedBy(redis) : undefined;
    for (const channel of channels) {
      if (moved.has(channel)) continue;
      // The server has dropped it since.
      if (delivered?.has(channel) === false) this.#change(channel);
      else this.#begin(channel);
    }
    if (moved.size > 0) this.#clock.after(AGAIN_MS, () => this.#restore(moved));
  }

  #begin(channel: string): void {
    this.#subscribed.add(channel);
    // If the last subscriber left meanwhile, this batch goes on to unsubscribe from the channel.
    if (this.#wanted.has(channel)) this.#options.onJoined(channel);
  }

  async #part(channels: readonly string[]): Promise<void> {
    if (channels.length === 0) return;
    // Before it is sent: a subscriber that comes from now on must subscribe anew.
    for (const channel of channels) this.#subscribed.delete(channel);
    await this.#unlessMoved(channels, (group) => this.#commands.unsubscribe(this.#link.redis, group));
    for (const channel of channels) this.#departed(channel);
  }

  /** Sends a command for the channels of each slot, all at once. Resolves with those that the server refers to another one. */
  async #unlessMoved(
    channels: readonly string[],
    send: (group: readonly string[]) => Promise<unknown>,
  ): Promise<ReadonlySet<string>> {
    const groups = this.#commands.groups(channels);
    const answers = await Promise.allSettled(groups.map(send));
    const moved = new Set<string>();
    for (const [at, answer] of answers.entries()) {
      if (answer.status === "fulfilled") continue;
      if (movedTo(answer.reason) === undefined) throw answer.reason;
      for (const channel of groups[at] ?? []) moved.add(channel);
      this.#options.onMoved(answer.reason);
    }
    return moved;
  }

  #departed(channel: string): void {
    this.#departures.get(channel)?.resolve();
    this.#departures.delete(channel);
  }

  /** Subscribes to what is wanted and not subscribed. */
  #restore(channels: ReadonlySet<string> = this.#wanted): void {
    if (channels === this.#wanted) this.#connected = true;
    for (const channel of channels) if (this.#wanted.has(channel)) this.want(channel);
  }

  /** Finds the channels that the server dropped, later and once: one piece of the stream may tell of many. */
  #mayHaveMoved(): void {
    if (this.#lookDue) return;
    this.#lookDue = true;
    queueMicrotask(() => {
      this.#lookDue = false;
      const delivered = subscribedBy(this.#link.redis);
      this.#link.keepsOnly(delivered);
      const dropped = [...this.#subscribed].filter((channel) => !delivered.has(channel));
      if (dropped.length === 0) return;
      for (const channel of dropped) {
        this.#subscribed.delete(channel);
        this.#departed(channel);
      }
      this.#options.onMoved(undefined);
      this.#restore(new Set(dropped));
    });
  }

  /** Call it when the connection is lost: Redis forgets its subscriptions. */
  #lose(): void {
    this.#connection++;
    this.#connected = false;
    this.#loopOn = undefined;
    this.#subscribed.clear();
    this.#changed.clear();
    for (const channel of [...this.#departures.keys()]) this.#departed(channel);
  }
}
