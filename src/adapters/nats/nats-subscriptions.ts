import type { Msg, Subscription } from "@nats-io/transport-node";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import type { ChannelSubscriber, ChannelSubscription } from "../../application/ports/pub-sub-port.ts";
import { type Delivery, type HeardMessage, heardCancel, heardEvents, heardViewers } from "./heard-message.ts";
import type { NatsClock } from "./nats-clock.ts";
import { readFailure, troubleOf } from "./nats-errors.ts";
import { NatsLink, type NatsLinkOptions } from "./nats-link.ts";
import { liveSubjects } from "./subjects.ts";

interface NatsSubscriptionsOptions extends Omit<NatsLinkOptions, "purpose" | "onReady" | "onLost"> {
  readonly brokerClock: NatsClock;
  /** Resolves with whether the stream stored the message at this sequence before the deadline. */
  readonly wasInTime: (sequence: number, deadline: number) => Promise<boolean>;
}

/**
 * The connection that listens. It has one subscription for each channel that somebody watches, to which the stream
 * publishes each message again once it is stored.
 */
export class NatsSubscriptions {
  readonly #options: NatsSubscriptionsOptions;
  readonly #link: NatsLink;
  readonly #channels = new Map<string, Watched>();
  #refusal: BrokerTrouble | undefined;

  constructor(options: NatsSubscriptionsOptions) {
    this.#options = options;
    this.#link = new NatsLink({
      ...options,
      purpose: "subscriptions",
      onReady: () => void this.#restore(),
      onLost: () => this.#lose(),
    });
  }

  /** Why nothing can be subscribed now, or undefined. */
  get away(): BrokerTrouble | undefined {
    return this.#link.away ?? this.#refusal;
  }

  /** Resolves when the server has the subscription. Rejects with `BrokerUnavailable`: then nothing is left of it. */
  async subscribe(channel: string, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    await this.#link.started;
    this.#link.assertUp();
    const listener: Listener = { subscriber, isActive: true };
    const watched = this.#channels.get(channel) ?? newWatched();
    this.#channels.set(channel, watched);
    watched.listeners.add(listener);
    try {
      if (watched.subscription === undefined) this.#listen(channel, watched);
      watched.begun ??= this.#link.flush();
      await watched.begun;
      this.#assertHeard(watched);
    } catch (error) {
      this.#leave(channel, watched, listener);
      throw readFailure(error);
    }
    return { unsubscribe: async () => this.#leave(channel, watched, listener) };
  }

  close(): void {
    this.#link.close();
    this.#channels.clear();
  }

  #listen(channel: string, watched: Watched): void {
    watched.lastSequence = 0;
    watched.refusal = undefined;
    watched.subscription = this.#link.subscribe(liveSubjects(channel), (error, message) => {
      if (error === null) this.#hear(channel, watched, message);
      else this.#refused(watched, error);
    });
  }

  #refused(watched: Watched, error: Error): void {
    watched.refusal = error;
    this.#refusal ??= troubleOf(error);
  }

  #assertHeard({ refusal, subscription }: Watched): void {
    if (refusal !== undefined) throw refusal;
    if (subscription === undefined || subscription.isClosed())
      throw new BrokerUnavailable("the connection to NATS broke while subscribing");
  }

  #leave(channel: string, watched: Watched, listener: Listener): void {
    listener.isActive = false;
    watched.listeners.delete(listener);
    if (watched.listeners.size > 0 || this.#channels.get(channel) !== watched) return;
    this.#channels.delete(channel);
    watched.subscription?.unsubscribe();
  }

  /**
   * Subscribes anew on a new connection, and tells it once the server has all of it. It finds out whether the gateway's user
   * may listen though nobody watches. Never rejects.
   */
  async #restore(): Promise<void> {
    const channels = [...this.#channels];
    const refusals: Error[] = [];
    try {
      const probe = this.#link.subscribe(liveSubjects("probe"), (error) => {
        if (error !== null) refusals.push(error);
      });
      for (const [channel, watched] of channels) this.#listen(channel, watched);
      await this.#link.flush();
      probe.unsubscribe();
    } catch (error) {
      // The connection broke again; the next one begins from the start.
      this.#options.telemetry.log("debug", "subscribing anew failed", { reason: reasonOf(error) });
      return;
    }
    this.#refusal = refusals[0] && troubleOf(refusals[0]);
    if (this.#refusal === undefined) {
      for (const [channel, watched] of channels) this.#restored(channel, watched);
    } else {
      this.#options.clock.after(REFUSED_MS, () => this.#link.reconnect());
    }
  }

  #restored(channel: string, watched: Watched): void {
    this.#tell(channel, watched, [(subscriber) => subscriber.linkRestored()]);
  }

  #lose(): void {
    for (const [, watched] of this.#channels) {
      watched.subscription = undefined;
      watched.begun = undefined;
    }
  }

  #hear(channel: string, watched: Watched, message: Msg): void {
    try {
      const isEvent = message.subject.startsWith(LIVE_EVENTS);
      const { deadline, deliveries } = isEvent ? heardEvents(message, this.#options) : heardBeside(message);
      const sequence = Number(message.headers?.get("Nats-Sequence"));
      if (isEvent && this.#missedOne(watched, message, sequence)) this.#restored(channel, watched);
      const { brokerClock } = this.#options;
      const isInTime = brokerClock.isKnown && brokerClock.atMost() < deadline;
      if (isInTime && watched.held === undefined) this.#tell(channel, watched, deliveries);
      else this.#hold(channel, watched, { sequence, deadline, deliveries });
    } catch (error) {
      this.#options.telemetry.count("telltale_foreign_messages_total", {});
      this.#options.telemetry.log("error", "not a message of ours", { channel, reason: reasonOf(error) });
    }
  }

  /** The stream says with each message which one of the channel came before. */
  #missedOne(watched: Watched, { headers }: Msg, sequence: number): boolean {
    const before = Number(headers?.get("Nats-Last-Sequence"));
    const missed = watched.lastSequence !== 0 && before > watched.lastSequence;
    watched.lastSequence = sequence;
    return missed;
  }

  /** Holds a message back that came so late that it may be void, and with it what comes after it. */
  #hold(channel: string, watched: Watched, late: LateMessage): void {
    const before = watched.held ?? Promise.resolve();
    const held = before.then(async () => {
      try {
        if (!(await this.#options.wasInTime(late.sequence, late.deadline))) return;
        this.#tell(channel, watched, late.deliveries);
      } catch (error) {
        // Nobody can say. Those who read the history find out.
        this.#options.telemetry.log("debug", "a late message was not judged", { reason: reasonOf(error) });
        this.#restored(channel, watched);
      } finally {
        if (watched.held === held) watched.held = undefined;
      }
    });
    watched.held = held;
  }

  #tell(channel: string, { listeners }: Watched, deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      for (const listener of [...listeners]) {
        // One that is called before it may have ended this one.
        if (listener.isActive) this.#deliver(channel, listener.subscriber, delivery);
      }
    }
  }

  #deliver(channel: string, subscriber: ChannelSubscriber, delivery: Delivery): void {
    try {
      delivery(subscriber);
    } catch (error) {
      this.#options.telemetry.count("telltale_subscriber_faults_total", {});
      this.#options.telemetry.log("error", "a subscriber threw", { channel, reason: reasonOf(error) });
    }
  }
}

/** When the server does not let the gateway listen, the link asks again on another connection, since it may by then. */
const REFUSED_MS = 4_000;
const LIVE_EVENTS = "telltale.live.events.";
const LIVE_CANCELS = "telltale.live.cancels.";

function heardBeside(message: Msg): HeardMessage {
  return message.subject.startsWith(LIVE_CANCELS) ? heardCancel(message) : heardViewers(message);
}

interface LateMessage {
  readonly sequence: number;
  readonly deadline: number;
  readonly deliveries: readonly Delivery[];
}

interface Watched {
  readonly listeners: Set<Listener>;
  subscription: Subscription | undefined;
  /** Settles when the server has the subscription. */
  begun: Promise<void> | undefined;
  /** Why the server does not let the gateway listen. */
  refusal: Error | undefined;
  /** The last message of its events that was heard on this connection; 0 if none was. */
  lastSequence: number;
  /** Settles when the messages that were held back are delivered; undefined if there are none. */
  held: Promise<void> | undefined;
}

interface Listener {
  readonly subscriber: ChannelSubscriber;
  isActive: boolean;
}

function newWatched(): Watched {
  return {
    listeners: new Set(),
    subscription: undefined,
    begun: undefined,
    refusal: undefined,
    lastSequence: 0,
    held: undefined,
  };
}
