import {
  appendToRecord,
  fill,
  isOnHistory,
  isOver,
  isSuperseded,
  MAX_EVENT_BYTES,
  mostKept,
  reasonOf,
  utf8Length,
} from "telltale/adapter";
import {
  type AnalysisChannel,
  type AppendOutcome,
  type AppendRequest,
  type BrokerContext,
  type BrokerHealth,
  type CancelRequest,
  type ChannelName,
  type ChannelPosition,
  type ChannelSnapshot,
  type ChannelSubscriber,
  type ChannelSubscription,
  type EventPosition,
  type HistoryPage,
  PAGE_BYTES,
  type PubSubPort,
  type ViewerList,
  type WorkerAnswer,
} from "telltale/ports";
import { type KeptChannel, type Listener, newChannel, type Store } from "./store.ts";

type MinimalEventsOptions = Pick<BrokerContext, "clock" | "telemetry" | "history"> & {
  readonly store: Store;
};

const NOTHING: EventPosition = { epoch: "", offset: 0 };

/** The event log. Each method is one synchronous step on the store, hence atomic. */
export class MinimalEvents implements PubSubPort {
  readonly kind = "minimal";
  readonly mostBytes = MAX_EVENT_BYTES;
  readonly durability = { keptIn: "process", replicas: 0 } as const;
  readonly #options: MinimalEventsOptions;
  readonly #store: Store;
  readonly #subscriptions = new Set<ChannelSubscription>();
  readonly #stopForgetting: () => void;

  constructor(options: MinimalEventsOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#stopForgetting = options.clock.every(10_000, () => this.#store.forgetExpired(options.clock.now()));
  }

  async append({ channel, events, deduplicate: key }: AppendRequest): Promise<AppendOutcome> {
    const { clock, history } = this.#options;
    const now = clock.now();
    if (key !== undefined && key.by !== "key") throw new Error(`this broker recognises no ${key.by}`);
    const kept = this.#store.find(channel, now) ?? newChannel();

    // A duplicate is answered with the positions of the first time. It is a sign of life all the same.
    const names = key?.scope === "notices" ? this.#store.noticesSeen : kept.seen;
    const first = key && names.get(key.name);
    if (key && first && now < first.until && now - first.at <= key.windowMs) {
      kept.heardAt = now;
      const { epoch, firstOffset, count } = first;
      return { type: "duplicate", epoch, firstOffset, count, ...this.#answerTo(channel, now) };
    }

    // The record numbers all events, or refuses them all and stays as it was.
    const appended = appendToRecord(kept.record, events);
    if (appended.type === "refused") return appended;
    kept.history.push(...appended.events);
    if (kept.history.length > mostKept(history.size)) kept.history = kept.history.slice(-history.size);
    const { epoch, offset } = kept.record;
    const place = { epoch, firstOffset: offset - events.length + 1, count: events.length };
    if (key) names.set(key.name, { ...place, at: now, until: now + key.rememberMs });
    kept.heardAt = now;
    kept.expiresAt = now + history.ttlMs;
    this.#store.channels.set(channel, kept);
    for (const beside of [this.#store.viewers.get(channel), this.#store.cancels.get(channel)])
      if (beside !== undefined && now < beside.expiresAt) beside.expiresAt = kept.expiresAt;

    for (const event of appended.events) this.#store.tell(channel, (listener) => listener.event(event));
    return { type: "stored", ...place, ...this.#answerTo(channel, now) };
  }

  async snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const now = this.#options.clock.now();
    const kept = this.#store.find(channel, now);
    return {
      position: positionOf(kept),
      lastStatus: kept?.record.lastStatus,
      currentTerminal: kept?.record.currentTerminal,
      stages: [...(kept?.record.stages ?? [])],
      attemptId: kept?.record.attempts.current,
      spans: spansOf(kept),
      oldestKept: oldestOf(kept),
      viewers: this.#store.viewersOf(channel, now),
      cancel: this.#store.cancelOf(channel, now),
      heardAt: kept?.heardAt,
      brokerNow: now,
    };
  }

  async viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    return this.#store.viewersOf(channel, this.#options.clock.now());
  }

  async history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const kept = this.#store.find(channel, this.#options.clock.now());
    const position = positionOf(kept);
    const stretch = { oldestKept: oldestOf(kept), newest: position.offset, spans: spansOf(kept) };
    const resumed = after === undefined || isOnHistory(after, stretch);
    const rest = kept?.history.slice(after && resumed ? after.offset + 1 - stretch.oldestKept : 0) ?? [];
    const budget = { items: limit, bytes: PAGE_BYTES };
    const events = fill(rest.slice(0, limit), budget, ({ text }) => utf8Length(text));
    return { resumed, events, more: events.length < rest.length, position, kept: stretch };
  }

  async positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    const now = this.#options.clock.now();
    const { lineage } = this.#store;
    return channels.map((channel) => {
      const kept = this.#store.find(channel, now);
      if (kept === undefined) return { ...NOTHING, lineage };
      return { ...positionOf(kept), lineage, heardAt: kept.heardAt, brokerNow: now };
    });
  }

  async subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    const listener = this.#alone(channel, subscriber);
    const listeners = this.#store.listeners.get(channel) ?? new Set();
    this.#store.listeners.set(channel, listeners.add(listener));
    const subscription = {
      unsubscribe: async () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#store.listeners.delete(channel);
        this.#subscriptions.delete(subscription);
      },
    };
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    const { clock, history } = this.#options;
    const copy = viewers === "*" ? viewers : new Set(viewers);
    this.#store.viewers.set(channel, { viewers: copy, expiresAt: clock.now() + history.ttlMs });
    this.#store.tell(channel, (listener) => listener.viewersChanged(copy));
  }

  async requestCancel(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended"> {
    const { clock, history } = this.#options;
    const now = clock.now();
    const found = this.#store.find(channel, now);
    if (found !== undefined && isOver(found.record)) return "ended";
    if (this.#store.cancelOf(channel, now) !== undefined) return "requested";
    // As long as the channel: it expires with what it belongs to.
    const kept = { request, after: found?.record.offset ?? 0 };
    this.#store.cancels.set(channel, { kept, expiresAt: found?.expiresAt ?? now + history.ttlMs });
    this.#store.tell(channel, (listener) => listener.cancelRequested(request));
    return "requested";
  }

  async signOfLife(channel: AnalysisChannel, attemptId?: string): Promise<WorkerAnswer> {
    const now = this.#options.clock.now();
    const kept = this.#store.find(channel, now);
    if (kept !== undefined && isSuperseded(kept.record.attempts, attemptId)) return {};
    if (kept !== undefined) kept.heardAt = now;
    return this.#answerTo(channel, now);
  }

  health(): BrokerHealth {
    return { status: "up", warnings: [] };
  }

  async close(): Promise<void> {
    this.#stopForgetting();
    for (const subscription of [...this.#subscriptions]) await subscription.unsubscribe();
  }

  #answerTo(channel: ChannelName, now: number): WorkerAnswer {
    return this.#store.cancelOf(channel, now) === undefined ? {} : { cancelRequested: true };
  }

  /** A subscriber that throws harms no other. */
  #alone(channel: ChannelName, subscriber: ChannelSubscriber): Listener {
    const attempt = (call: () => void) => {
      try {
        call();
      } catch (error) {
        this.#options.telemetry.log("error", "a subscriber threw", { channel, reason: reasonOf(error) });
      }
    };
    return {
      event: (event) => attempt(() => subscriber.event(event)),
      viewersChanged: (viewers) => attempt(() => subscriber.viewersChanged(viewers)),
      cancelRequested: (request) => attempt(() => subscriber.cancelRequested(request)),
    };
  }
}

function positionOf(kept: KeptChannel | undefined): EventPosition {
  return kept === undefined ? NOTHING : { epoch: kept.record.epoch, offset: kept.record.offset };
}

function spansOf(kept: KeptChannel | undefined): HistoryPage["kept"]["spans"] {
  return kept === undefined ? [] : [{ epoch: kept.record.epoch, firstOffset: 1 }];
}

function oldestOf(kept: KeptChannel | undefined): number {
  return kept === undefined ? 1 : kept.record.offset - kept.history.length + 1;
}
