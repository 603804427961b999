import type { BrokerHealth } from "../../src/application/ports/broker-health.ts";
import type {
  AppendOutcome,
  ChannelPosition,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  HistoryPage,
  PublishedEvent,
  PubSubPort,
} from "../../src/application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../src/domain/channel.ts";
import { MAX_EVENT_BYTES } from "../../src/domain/decode-event.ts";
import { type EpochSpan, type EventPosition, isOnHistory } from "../../src/domain/event-position.ts";
import { published } from "./published-event.ts";

/** One channel of statuses whose counter survives its epochs, as on a broker that was restarted or promoted. */
export class SpannedPubSub implements PubSubPort {
  readonly kind = "spanned";
  readonly mostBytes = MAX_EVENT_BYTES;
  readonly durability = { keptIn: "process", replicas: 0 } as const;
  readonly #subscribers = new Set<ChannelSubscriber>();
  #events: PublishedEvent[] = [];
  #epoch = "e1";

  /** The broker is another process from now on, and the `lost` newest events are gone. */
  beginEpoch(epoch: string, lost = 0): void {
    this.#epoch = epoch;
    this.#events = this.#events.slice(0, this.#events.length - lost);
  }

  publish(heard = true): void {
    const event = published(this.#events.length + 1, undefined, { epoch: this.#epoch });
    this.#events.push(event);
    if (heard) for (const subscriber of this.#subscribers) subscriber.event(event);
  }

  async history(_: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const history = { oldestKept: 1, newest: this.#events.length, spans: this.#spans };
    const resumed = after === undefined || isOnHistory(after, history);
    const from = resumed ? (after?.offset ?? 0) : 0;
    const events = this.#events.slice(from, from + limit);
    const more = from + events.length < this.#events.length;
    return { resumed, events, more, position: this.#position, kept: history };
  }

  async viewers(): Promise<undefined> {}

  async positions(): Promise<readonly ChannelPosition[]> {
    return [{ ...this.#position, lineage: this.#epoch }];
  }

  async snapshot(): Promise<ChannelSnapshot> {
    return {
      position: this.#position,
      lastStatus: this.#events.at(-1),
      currentTerminal: undefined,
      stages: [],
      attemptId: undefined,
      spans: this.#spans,
      oldestKept: 1,
      viewers: undefined,
      heardAt: undefined,
      brokerNow: 0,
    };
  }

  async subscribe(_: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    this.#subscribers.add(subscriber);
    return { unsubscribe: async () => void this.#subscribers.delete(subscriber) };
  }

  append(): Promise<AppendOutcome> {
    throw new Error("use publish()");
  }

  async declareViewers(): Promise<void> {}

  health(): BrokerHealth {
    return { status: "up", warnings: [] };
  }

  async close(): Promise<void> {}

  get #position(): EventPosition {
    return this.#events.at(-1)?.position ?? { epoch: this.#epoch, offset: 0 };
  }

  get #spans(): EpochSpan[] {
    return this.#events.flatMap(({ position }, index) =>
      this.#events[index - 1]?.position.epoch === position.epoch
        ? []
        : [{ epoch: position.epoch, firstOffset: position.offset }],
    );
  }
}
