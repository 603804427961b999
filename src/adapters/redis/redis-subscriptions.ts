import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { ChannelSubscriber, ChannelSubscription } from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { type Clocks, deliveryOf } from "./heard-message.ts";
import type { PerPrimary } from "./per-primary.ts";
import type { RedisCommands } from "./redis-commands.ts";
import { movedTo } from "./redis-errors.ts";
import { probeChannelOfNode } from "./redis-keys.ts";
import type { RedisServers } from "./redis-servers.ts";
import type { RedisPrimary } from "./slot-owners.ts";
import { WantedChannels } from "./wanted-channels.ts";

interface RedisSubscriptionsOptions {
  readonly servers: RedisServers;
  readonly db: number;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** Another connection to this primary: the way of its probes, and its clock. */
  readonly commandsAt: (primary: RedisPrimary) => RedisCommands;
}

/**
 * The channels that somebody watches. Each is subscribed to at the primary that owns its slot, over one connection for
 * each primary. If its messages may have been missed, be it that a connection broke or that the slot moved, its
 * subscribers are told once Redis delivers again.
 */
export class RedisSubscriptions {
  readonly #options: RedisSubscriptionsOptions;
  readonly #homes: PerPrimary<WantedChannels>;
  readonly #watched = new Map<string, Watched>();
  readonly #stop: () => void;
  #settleDue = false;

  constructor(options: RedisSubscriptionsOptions) {
    this.#options = options;
    this.#homes = options.servers.each((primary) => this.#open(primary));
    // After the homes themselves have changed, and once for the hundreds of slots that one answer may tell of.
    this.#stop = options.servers.owners.onChange(() => {
      if (this.#settleDue) return;
      this.#settleDue = true;
      queueMicrotask(() => {
        this.#settleDue = false;
        for (const [channel, watched] of this.#watched) this.#settle(channel, watched);
      });
    });
  }

  /** Why this channel cannot be subscribed to now, or undefined. */
  awayFor(channel: string): BrokerTrouble | undefined {
    const home = this.#homes.ownerOf(channel);
    return home === undefined ? this.#options.servers.owners.trouble : home.away;
  }

  /** Why some channel cannot be subscribed to now, or undefined. */
  get away(): BrokerTrouble | undefined {
    for (const { away } of this.#homes.all) if (away !== undefined) return away;
    return this.#options.servers.owners.trouble;
  }

  /** Resolves when Redis has subscribed the connection. Rejects with `BrokerUnavailable`: then nothing is left of it. */
  async subscribe(channel: string, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    await this.#homes.at(channel, (home) => home.untilUp());
    const listener: Listener = { subscriber, active: true, heard: false };
    const watched = this.#watched.get(channel) ?? newlyWatched();
    watched.listeners.add(listener);
    this.#watched.set(channel, watched);
    if (watched.home?.delivers(channel)) {
      listener.heard = true;
    } else {
      watched.confirmation ??= Promise.withResolvers();
      const { promise } = watched.confirmation;
      this.#settle(channel, watched);
      await promise;
    }
    let left: Promise<void> | undefined;
    return {
      unsubscribe: () => {
        left ??= this.#unsubscribe(channel, listener);
        return left;
      },
    };
  }

  close(): void {
    this.#stop();
    this.#homes.close();
    this.#lose(() => true, { cause: "closed" });
    this.#watched.clear();
  }

  #open(primary: RedisPrimary): WantedChannels {
    const { servers, db, clock, telemetry, commandsAt } = this.#options;
    const { owners } = servers;
    const commands = commandsAt(primary);
    const clocks: Clocks = { clock, serverTime: () => commands.serverTime };
    const home: WantedChannels = new WantedChannels({
      ...{ primary, clock, telemetry },
      links: servers.linksOf(primary),
      probeChannel: () => probeChannelOfNode(db, primary.slots),
      publish: (channel, message) => commands.publish(channel, message, primary.ownChannels),
      onMessage: (channel, message) => this.#deliver(home, channel, message, clocks),
      onJoined: (channel) => this.#begin(home, channel),
      onLost: () => this.#lose((watched) => watched.home === home, home.away),
      onMoved: (error) => {
        const moved = movedTo(error);
        if (moved === undefined) owners.lookAgain();
        else owners.moved(moved.slot, moved.to, primary);
      },
    });
    return home;
  }

  /** Subscribes to the channel at its owner, and nowhere else. */
  #settle(channel: string, watched: Watched): void {
    const home = this.#homes.ownerOf(channel);
    if (home === undefined) this.#lose((one) => one === watched, this.#options.servers.owners.trouble);
    if (home === watched.home) return;
    void watched.home?.leave(channel);
    watched.home = home;
    home?.want(channel);
    if (home?.delivers(channel)) this.#begin(home, channel);
  }

  #begin(home: WantedChannels, channel: string): void {
    const watched = this.#watched.get(channel);
    if (watched?.home !== home) return;
    for (const listener of watched.listeners) {
      const returned = listener.heard;
      listener.heard = true;
      if (returned) this.#tell(channel, listener, (subscriber) => subscriber.linkRestored());
    }
    watched.confirmation?.resolve();
    watched.confirmation = undefined;
  }

  async #unsubscribe(channel: string, listener: Listener): Promise<void> {
    listener.active = false;
    const watched = this.#watched.get(channel);
    if (!watched?.listeners.delete(listener) || watched.listeners.size > 0) return;
    this.#watched.delete(channel);
    await watched.home?.leave(channel);
  }

  /** Fails those that wait for their first SUBSCRIBE. */
  #lose(isLost: (watched: Watched) => boolean, trouble: BrokerTrouble = { cause: "unreachable" }): void {
    for (const [channel, watched] of this.#watched) {
      if (watched.confirmation === undefined || !isLost(watched)) continue;
      for (const listener of watched.listeners) if (!listener.heard) watched.listeners.delete(listener);
      if (watched.listeners.size === 0) {
        this.#watched.delete(channel);
        void watched.home?.leave(channel);
      }
      const message = "the connection to Redis broke while subscribing";
      watched.confirmation.reject(new BrokerUnavailable(message, { trouble }));
      watched.confirmation = undefined;
    }
  }

  #deliver(home: WantedChannels, channel: string, message: string, clocks: Clocks): void {
    const watched = this.#watched.get(channel);
    // A server that lost the slot may deliver for a moment what the new owner delivers too.
    if (watched?.home !== home) return;
    let delivery: (subscriber: ChannelSubscriber) => void;
    try {
      delivery = deliveryOf(message, clocks);
    } catch (error) {
      this.#options.telemetry.count("telltale_foreign_messages_total", {});
      this.#options.telemetry.log("error", "not a message of ours", { channel, reason: reasonOf(error) });
      return;
    }
    for (const listener of watched.listeners) this.#tell(channel, listener, delivery);
  }

  #tell(channel: string, listener: Listener, delivery: (subscriber: ChannelSubscriber) => void): void {
    if (!listener.active) return;
    try {
      delivery(listener.subscriber);
    } catch (error) {
      this.#options.telemetry.count("telltale_subscriber_faults_total", {});
      this.#options.telemetry.log("error", "a subscriber threw", { channel, reason: reasonOf(error) });
    }
  }
}

interface Watched {
  readonly listeners: Set<Listener>;
  /** The connection that is to hear it: that to the owner of its slot. Undefined if nobody owns the slot. */
  home: WantedChannels | undefined;
  /** Settles when Redis has answered the first SUBSCRIBE; undefined if nobody waits for it. */
  confirmation: PromiseWithResolvers<void> | undefined;
}

interface Listener {
  readonly subscriber: ChannelSubscriber;
  active: boolean;
  /** Whether Redis has subscribed it before: then it hears of each further time. */
  heard: boolean;
}

function newlyWatched(): Watched {
  return { listeners: new Set(), home: undefined, confirmation: undefined };
}
