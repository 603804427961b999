import { type PublishedEvent, reasonOf } from "telltale/adapter";
import type { ChannelSubscriber, ChannelSubscription, TelemetryPort, ViewerList } from "telltale/ports";
import type { Hearing, Listener } from "./listener.ts";
import type { Notification } from "./notifications.ts";

interface SubscriptionsOptions {
  readonly listener: Listener;
  readonly telemetry: TelemetryPort;
  /** Reads an event that a notification does not carry; undefined if it is gone. */
  readonly readEvent: (channel: string, offset: number) => Promise<PublishedEvent | undefined>;
  readonly readViewers: (channel: string) => Promise<ViewerList | undefined>;
  readonly viewersOf: (text: string) => ViewerList | undefined;
}

/** The subscribers of a node, by the keys of their channels. */
export class Subscriptions implements Hearing {
  readonly #options: SubscriptionsOptions;
  readonly #channels = new Map<string, Channel>();
  #remove: (() => void) | undefined;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  async subscribe(key: string, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    this.#remove ??= this.#options.listener.add(this);
    let active = true;
    const unsubscribe = async () => {
      active = false;
      const channel = this.#channels.get(key);
      channel?.subscribers.delete(subscriber);
      if (channel?.subscribers.size === 0) this.#channels.delete(key);
    };
    await this.#options.listener.mark(() => {
      if (active) this.#take(this.#channelOf(key), { type: "join", subscriber });
    });
    return { unsubscribe };
  }

  heard(notification: Notification): void {
    if (!("channel" in notification)) return;
    const channel = this.#channels.get(notification.channel);
    if (channel !== undefined) this.#take(channel, notification);
  }

  restored(): void {
    for (const channel of this.#channels.values()) this.#take(channel, { type: "restored" });
  }

  close(): void {
    this.#remove?.();
    this.#channels.clear();
  }

  #channelOf(key: string): Channel {
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    const channel: Channel = { subscribers: new Set(), waiting: [], busy: false };
    this.#channels.set(key, channel);
    return channel;
  }

  #take(channel: Channel, step: Step): void {
    channel.waiting.push(step);
    if (!channel.busy) void this.#work(channel);
  }

  /** One step after the other: what comes while an event is read waits behind it. Never rejects. */
  async #work(channel: Channel): Promise<void> {
    channel.busy = true;
    for (let step = channel.waiting.shift(); step !== undefined; step = channel.waiting.shift()) {
      switch (step.type) {
        case "join":
          channel.subscribers.add(step.subscriber);
          break;
        case "restored":
          this.#tell(channel, (subscriber) => subscriber.linkRestored());
          break;
        case "event": {
          const { event } = step;
          this.#tell(channel, (subscriber) => subscriber.event(event));
          break;
        }
        case "cancel": {
          const { request } = step;
          this.#tell(channel, (subscriber) => subscriber.cancelRequested(request));
          break;
        }
        default:
          await this.#read(channel, step);
      }
    }
    channel.busy = false;
  }

  async #read(channel: Channel, step: Extract<Step, { type: "stored" | "viewers" }>): Promise<void> {
    const { readEvent, readViewers, viewersOf, telemetry } = this.#options;
    try {
      if (step.type === "stored") {
        const event = await readEvent(step.channel, step.offset);
        this.#tell(channel, (subscriber) =>
          event === undefined ? subscriber.linkRestored() : subscriber.event(event),
        );
        return;
      }
      const carried = step.viewers === undefined ? undefined : viewersOf(step.viewers);
      const viewers = carried ?? (await readViewers(step.channel));
      if (viewers !== undefined) this.#tell(channel, (subscriber) => subscriber.viewersChanged(viewers));
    } catch (error) {
      telemetry.log("warn", "a notification could not be read", { reason: reasonOf(error) });
      this.#tell(channel, (subscriber) => subscriber.linkRestored());
    }
  }

  #tell(channel: Channel, say: (subscriber: ChannelSubscriber) => void): void {
    for (const subscriber of [...channel.subscribers]) {
      if (!channel.subscribers.has(subscriber)) continue;
      try {
        say(subscriber);
      } catch (error) {
        this.#options.telemetry.count("telltale_subscriber_faults_total", {});
        this.#options.telemetry.log("error", "a subscriber threw", { reason: reasonOf(error) });
      }
    }
  }
}

type Step =
  | Extract<Notification, { type: "event" | "stored" | "viewers" | "cancel" }>
  | { readonly type: "join"; readonly subscriber: ChannelSubscriber }
  | { readonly type: "restored" };

interface Channel {
  readonly subscribers: Set<ChannelSubscriber>;
  readonly waiting: Step[];
  busy: boolean;
}
