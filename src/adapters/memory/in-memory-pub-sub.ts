import { RequestTooLarge, reasonOf } from "../../application/errors.ts";
import type { BrokerHealth } from "../../application/ports/broker-health.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { DeduplicationKey, EntryKey, RequestKey } from "../../application/ports/deduplication-key.ts";
import type {
  AppendOutcome,
  AppendRequest,
  ChannelPosition,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  Durability,
  HistoryPage,
  PubSubPort,
  WorkerAnswer,
} from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import { isOver } from "../../domain/current-run.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import type { EventPosition, KeptHistory } from "../../domain/event-position.ts";
import { utf8Length } from "../../domain/utf8.ts";
import type { DeduplicationMemory, FirstTime } from "./deduplication-memory.ts";
import { InMemoryBroker, type Listener } from "./in-memory-broker.ts";
import type { KeptChannel } from "./kept-channel.ts";

export interface InMemoryPubSubOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly history: { readonly size: number; readonly ttlMs: number };
  /** The broker that the nodes of one process share. Default: a broker of its own. */
  readonly broker?: InMemoryBroker;
  /** Takes smaller requests than `MAX_EVENT_BYTES`, as a broker may that has a limit of its own. */
  readonly mostBytes?: number | undefined;
}

const FORGET_EVERY_MS = 10_000;
const NOTHING: EventPosition = { epoch: "", offset: 0 };
const NOTHING_KEPT: KeptHistory = { oldestKept: 1, newest: 0, spans: [] };
/** Always the same: a channel in memory ends with the process, so its history never forks. */
const LINEAGE = "memory";

/**
 * The default broker: everything `PubSubPort` promises, within one process and for as long as it lives. Subscribers
 * are called inside `append`, before it resolves.
 */
export class InMemoryPubSub implements PubSubPort {
  readonly kind = "memory";
  readonly durability: Durability = { keptIn: "process", replicas: 0 };
  readonly mostBytes: number;
  readonly #broker: InMemoryBroker;
  readonly #options: InMemoryPubSubOptions;
  readonly #listeners = new Map<Listener, ChannelName>();
  readonly #stopForgetting: () => void;

  constructor(options: InMemoryPubSubOptions) {
    this.#options = options;
    this.mostBytes = options.mostBytes ?? MAX_EVENT_BYTES;
    this.#broker = options.broker ?? new InMemoryBroker();
    this.#stopForgetting = options.clock.every(FORGET_EVERY_MS, () =>
      this.#broker.forgetExpired(options.clock.now()),
    );
  }

  async append({ channel, events, deduplicate: key }: AppendRequest): Promise<AppendOutcome> {
    if (this.#options.mostBytes !== undefined && bytesOf(events) > this.mostBytes)
      throw new RequestTooLarge(this.mostBytes);
    const now = this.#options.clock.now();
    const kept = this.#broker.findOrBegin(channel, now);
    const before = key && this.#seenBefore(key, kept, now);
    if (before !== undefined) {
      if (before.type === "refused") return before;
      kept.heardAt = now;
      return { ...before, ...this.#answerTo(channel, now) };
    }
    const appended = kept.append(events, this.#options.history.size);
    if (appended.type === "refused") {
      if (key?.by === "occurrence") kept.heard.refused(key, appended, now);
      return appended;
    }
    const { epoch, offset } = kept.position;
    const stored = { epoch, firstOffset: offset - events.length + 1, count: events.length };
    kept.heardAt = now;
    if (key) this.#remember(key, kept, { ...stored, at: now });
    this.#broker.keep(channel, kept, now, now + this.#options.history.ttlMs);
    this.#broker.publish(channel, appended.events);
    return { type: "stored", ...stored, ...this.#answerTo(channel, now) };
  }

  async snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const brokerNow = this.#options.clock.now();
    const kept = this.#broker.find(channel, brokerNow);
    return {
      position: kept?.position ?? NOTHING,
      lastStatus: kept?.lastStatus,
      currentTerminal: kept?.currentTerminal,
      attemptId: kept?.attemptId,
      stages: kept?.stages ?? [],
      spans: kept?.spans ?? [],
      oldestKept: kept?.oldestKept ?? 1,
      viewers: this.#broker.viewersOf(channel, brokerNow),
      cancel: this.#broker.cancelOf(channel, brokerNow),
      cancelAtEnd: this.#broker.cancelAtEndOf(channel, brokerNow),
      heardAt: kept?.heardAt,
      brokerNow,
    };
  }

  async viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    return this.#broker.viewersOf(channel, this.#options.clock.now());
  }

  async history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const kept = this.#broker.find(channel, this.#options.clock.now());
    if (kept !== undefined) return kept.page(after, limit);
    const resumed = after === undefined || after.offset === 0;
    return { resumed, events: [], more: false, position: NOTHING, kept: NOTHING_KEPT };
  }

  async positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    const now = this.#options.clock.now();
    return channels.map((channel) => {
      const kept = this.#broker.find(channel, now);
      if (kept === undefined) return { ...NOTHING, lineage: LINEAGE };
      return { ...kept.position, lineage: LINEAGE, heardAt: kept.heardAt, brokerNow: now };
    });
  }

  async subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    const listener: Listener = {
      subscriber,
      active: true,
      failed: (error) => {
        this.#options.telemetry.count("telltale_subscriber_faults_total", {});
        this.#options.telemetry.log("error", "a subscriber threw", { channel, reason: reasonOf(error) });
      },
    };
    this.#listeners.set(listener, channel);
    this.#broker.addListener(channel, listener);
    return {
      unsubscribe: async () => {
        this.#listeners.delete(listener);
        this.#broker.removeListener(channel, listener);
      },
    };
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    const declared = viewers === "*" ? viewers : new Set(viewers);
    const until = this.#options.clock.now() + this.#options.history.ttlMs;
    this.#broker.keepViewers(channel, declared, until);
    this.#broker.announceViewers(channel, declared);
  }

  async requestCancel(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended"> {
    const now = this.#options.clock.now();
    const kept = this.#broker.find(channel, now);
    if (kept !== undefined && isOver(kept)) return "ended";
    if (this.#broker.cancelOf(channel, now) !== undefined) return "requested";
    this.#broker.keepCancel(channel, request, now, this.#options.history.ttlMs);
    this.#broker.announceCancel(channel, request);
    return "requested";
  }

  async signOfLife(channel: AnalysisChannel, attemptId?: string): Promise<WorkerAnswer> {
    const now = this.#options.clock.now();
    const kept = this.#broker.find(channel, now);
    if (kept?.isSuperseded(attemptId) === true) return {};
    if (kept !== undefined) kept.heardAt = now;
    return this.#answerTo(channel, now);
  }

  health(): BrokerHealth {
    return { status: "up", warnings: [] };
  }

  async close(): Promise<void> {
    this.#stopForgetting();
    for (const [listener, channel] of this.#listeners) this.#broker.removeListener(channel, listener);
    this.#listeners.clear();
  }

  #seenBefore(key: DeduplicationKey, kept: KeptChannel, now: number): AppendOutcome | undefined {
    if (key.by === "occurrence") {
      const found = kept.heard.find(key, kept.position.offset, now);
      if (found.type === "new") return undefined;
      return found.type === "refused" ? found : duplicateOf(found.place);
    }
    const first = key.by === "entry" ? this.#seenEntry(key, kept, now) : this.#seenKey(key, kept, now);
    return first && duplicateOf(first);
  }

  #seenEntry({ id, named }: EntryKey, kept: KeptChannel, now: number): FirstTime | undefined {
    const stored = kept.seenEntry(id);
    if (stored !== undefined || named === undefined) return stored;
    const first = this.#seenKey(named, kept, now);
    if (first !== undefined) kept.lastEntry = { id, first };
    return first;
  }

  #seenKey({ by, name, scope, windowMs }: RequestKey, kept: KeptChannel, now: number): FirstTime | undefined {
    return this.#memoryOf(scope, kept).find(by, name, windowMs, now);
  }

  #answerTo(channel: ChannelName, now: number): WorkerAnswer {
    return this.#broker.cancelOf(channel, now) === undefined ? {} : { cancelRequested: true };
  }

  #remember(key: DeduplicationKey, kept: KeptChannel, first: FirstTime): void {
    if (key.by === "entry") {
      kept.lastEntry = { id: key.id, first };
      if (key.named !== undefined) this.#remember(key.named, kept, first);
    } else if (key.by === "occurrence") kept.heard.stored(key, first);
    else this.#memoryOf(key.scope, kept).remember(key.by, key.name, first, key.rememberMs);
  }

  #memoryOf(scope: "channel" | "notices", kept: KeptChannel): DeduplicationMemory {
    return scope === "notices" ? this.#broker.seenNotices : kept.seen;
  }
}

function duplicateOf({ epoch, firstOffset, count }: FirstTime): AppendOutcome {
  return { type: "duplicate", epoch, firstOffset, count };
}

function bytesOf(events: readonly EncodedEvent[]): number {
  return events.reduce((sum, { members }) => sum + utf8Length(members), 0);
}
