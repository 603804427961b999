import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { ChannelSubscriber, ChannelSubscription } from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { RedisTarget } from "./redis-connection.ts";
import { probeChannelOfNode } from "./redis-keys.ts";
import type { RedisLinks } from "./redis-links.ts";
import { eventOfMessage, VIEWERS_FLAG, viewersOfText } from "./stored-format.ts";
import { SubscriptionLink } from "./subscription-link.ts";

interface RedisSubscriptionsOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly links?: RedisLinks | undefined;
  /** Publishes over another connection. Resolves with how many connections Redis sent it to. */
  readonly publish: (channel: string, message: string) => Promise<number>;
}

/** The most channels of one SUBSCRIBE or UNSUBSCRIBE: many at once are fast, too many keep Redis from anything else. */
const BATCH = 500;
const GATHER_MS = 5;

/**
 * The connection that listens. One loop subscribes to the channels that somebody watches and unsubscribes from the others,
 * a batch at a time, so that a SUBSCRIBE and an UNSUBSCRIBE of one channel cannot overtake each other.
 */
export class RedisSubscriptions {
  readonly #link: SubscriptionLink;
  readonly #telemetry: TelemetryPort;
  readonly #clock: ClockPort;
  readonly #watched = new Map<string, Watched>();
  /** The channels whose messages Redis delivers on this connection. */
  readonly #subscribed = new Set<string>();
  /** The channels for which a SUBSCRIBE or UNSUBSCRIBE may be due. */
  readonly #changed = new Set<string>();
  /** The callers that wait for an UNSUBSCRIBE, by channel. */
  readonly #departures = new Map<string, PromiseWithResolvers<void>>();
  /** Counts connections: an answer of an earlier one says nothing about this one. */
  #connection = 0;
  /** The connection that the loop is at work on. */
  #loopOn: number | undefined;

  constructor(options: RedisSubscriptionsOptions) {
    this.#telemetry = options.telemetry;
    this.#clock = options.clock;
    this.#link = new SubscriptionLink({
      ...options,
      purpose: "subscriptions",
      probeChannel: probeChannelOfNode(options.target.db),
      onReady: () => this.#restore(),
      onLost: () => this.#lose(),
    });
    this.#link.redis.on("message", (channel: string, message: string) => this.#deliver(channel, message));
  }

  /** Why nothing can be subscribed now, or undefined. */
  get away(): BrokerTrouble | undefined {
    return this.#link.away;
  }

  /** Resolves when Redis has subscribed the connection. Rejects with `BrokerUnavailable`: then nothing is left of it. */
  async subscribe(channel: string, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    if (this.#link.starting) await this.#link.started;
    this.#link.assertUp();
    const listener: Listener = { subscriber, active: true, connection: undefined };
    const watched = this.#watched.get(channel) ?? { listeners: new Set(), confirmation: undefined };
    watched.listeners.add(listener);
    this.#watched.set(channel, watched);
    if (this.#subscribed.has(channel)) {
      listener.connection = this.#connection;
    } else {
      watched.confirmation ??= Promise.withResolvers();
      this.#change(channel);
      await watched.confirmation.promise;
    }
    return { unsubscribe: () => this.#unsubscribe(channel, listener) };
  }

  close(): void {
    this.#link.close();
    this.#lose();
    this.#watched.clear();
  }

  async #unsubscribe(channel: string, listener: Listener): Promise<void> {
    listener.active = false;
    const watched = this.#watched.get(channel);
    if (watched?.listeners.delete(listener) && watched.listeners.size === 0) {
      this.#watched.delete(channel);
      if (this.#subscribed.has(channel)) {
        this.#departures.set(channel, this.#departures.get(channel) ?? Promise.withResolvers());
        this.#change(channel);
      }
    }
    await this.#departures.get(channel)?.promise;
  }

  #change(channel: string): void {
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
          batch.filter((channel) => this.#watched.has(channel) && !this.#subscribed.has(channel)),
        );
        await this.#part(
          batch.filter((channel) => !this.#watched.has(channel) && this.#subscribed.has(channel)),
        );
        // If a subscriber came before the UNSUBSCRIBE was sent, those that left have nothing to wait for.
        for (const channel of batch) if (this.#watched.has(channel)) this.#departed(channel);
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
    await this.#link.redis.subscribe(...channels);
    if (connection !== this.#connection) return;
    for (const channel of channels) {
      this.#subscribed.add(channel);
      const watched = this.#watched.get(channel);
      // If the last subscriber left meanwhile, this batch goes on to unsubscribe from the channel.
      if (watched !== undefined) this.#begin(channel, watched);
    }
  }

  #begin(channel: string, watched: Watched): void {
    for (const listener of watched.listeners) {
      const returned = listener.connection !== undefined && listener.connection !== this.#connection;
      listener.connection = this.#connection;
      if (returned) this.#tell(channel, listener, (subscriber) => subscriber.linkRestored());
    }
    watched.confirmation?.resolve();
    watched.confirmation = undefined;
  }

  async #part(channels: readonly string[]): Promise<void> {
    if (channels.length === 0) return;
    // Before it is sent: a subscriber that comes from now on must subscribe anew.
    for (const channel of channels) this.#subscribed.delete(channel);
    await this.#link.redis.unsubscribe(...channels);
    for (const channel of channels) this.#departed(channel);
  }

  #departed(channel: string): void {
    this.#departures.get(channel)?.resolve();
    this.#departures.delete(channel);
  }

  #restore(): void {
    for (const channel of this.#watched.keys()) this.#change(channel);
  }

  /** Call it when the connection is lost: Redis forgets its subscriptions. */
  #lose(): void {
    this.#connection++;
    this.#loopOn = undefined;
    this.#subscribed.clear();
    this.#changed.clear();
    for (const channel of [...this.#departures.keys()]) this.#departed(channel);
    for (const [channel, watched] of this.#watched) {
      if (watched.confirmation === undefined) continue;
      for (const listener of watched.listeners)
        if (listener.connection === undefined) watched.listeners.delete(listener);
      if (watched.listeners.size === 0) this.#watched.delete(channel);
      const trouble = this.#link.away ?? ({ cause: "unreachable" } as const);
      const message = "the connection to Redis broke while subscribing";
      watched.confirmation.reject(new BrokerUnavailable(message, { trouble }));
      watched.confirmation = undefined;
    }
  }

  #deliver(channel: string, message: string): void {
    const watched = this.#watched.get(channel);
    if (watched === undefined) return;
    let delivery: (subscriber: ChannelSubscriber) => void;
    try {
      delivery = deliveryOf(message);
    } catch (error) {
      this.#telemetry.count("telltale_foreign_messages_total", {});
      this.#telemetry.log("error", "not a message of ours", { channel, reason: reasonOf(error) });
      return;
    }
    for (const listener of watched.listeners) this.#tell(channel, listener, delivery);
  }

  #tell(channel: string, listener: Listener, delivery: (subscriber: ChannelSubscriber) => void): void {
    if (!listener.active) return;
    try {
      delivery(listener.subscriber);
    } catch (error) {
      this.#telemetry.count("telltale_subscriber_faults_total", {});
      this.#telemetry.log("error", "a subscriber threw", { channel, reason: reasonOf(error) });
    }
  }
}

interface Watched {
  readonly listeners: Set<Listener>;
  /** Settles when Redis has answered the first SUBSCRIBE; undefined if nobody waits for it. */
  confirmation: PromiseWithResolvers<void> | undefined;
}

interface Listener {
  readonly subscriber: ChannelSubscriber;
  active: boolean;
  /** The connection on which Redis subscribed it last; undefined if it never has. */
  connection: number | undefined;
}

function deliveryOf(message: string): (subscriber: ChannelSubscriber) => void {
  if (message.startsWith(VIEWERS_FLAG)) {
    const viewers = viewersOfText(message.slice(1));
    return (subscriber) => subscriber.viewersChanged(viewers);
  }
  const event = eventOfMessage(message);
  return (subscriber) => subscriber.event(event);
}
