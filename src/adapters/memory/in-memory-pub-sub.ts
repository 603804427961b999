import type { ClockPort } from "../../application/ports/clock-port.ts";
import type {
  AppendOutcome,
  AppendRequest,
  BrokerHealth,
  ChannelPositions,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  DeduplicationKey,
  HistoryPage,
  PubSubPort,
} from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { reasonOf } from "../../application/reason-of.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import type { EventPosition, KeptHistory } from "../../domain/event-position.ts";
import type { DeduplicationMemory, FirstTime } from "./deduplication-memory.ts";
import { InMemoryBroker, type Listener } from "./in-memory-broker.ts";
import type { KeptChannel } from "./kept-channel.ts";

export interface InMemoryPubSubOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly history: { readonly size: number; readonly ttlMs: number };
  /** Shared by the nodes of one process; one of its own where left out. */
  readonly broker?: InMemoryBroker;
}

const FORGET_EVERY_MS = 10_000;
const NOTHING: EventPosition = { epoch: "", offset: 0 };
const NOTHING_KEPT: KeptHistory = { oldestKept: 1, newest: 0, spans: [] };
/** What is kept here lives and dies with the process, so it never forks. */
const LINE = "memory";

/**
 * The default broker: everything `PubSubPort` promises, within one process and for as long as it lives. Subscribers
 * are called inside `append`, before it resolves.
 */
export class InMemoryPubSub implements PubSubPort {
  readonly kind = "memory";
  readonly #broker: InMemoryBroker;
  readonly #options: InMemoryPubSubOptions;
  readonly #listeners = new Map<Listener, ChannelName>();
  readonly #stopForgetting: () => void;

  constructor(options: InMemoryPubSubOptions) {
    this.#options = options;
    this.#broker = options.broker ?? new InMemoryBroker();
    this.#stopForgetting = options.clock.every(FORGET_EVERY_MS, () =>
      this.#broker.forgetExpired(options.clock.now()),
    );
  }

  async append({ channel, events, seen }: AppendRequest): Promise<AppendOutcome> {
    const now = this.#options.clock.now();
    const kept = this.#broker.findOrBegin(channel, now);
    const before = seen && this.#seenBefore(seen, kept, now);
    if (before !== undefined) {
      if (before.type === "duplicate") kept.heardAt = now;
      return before;
    }
    const appended = kept.append(events, this.#options.history.size);
    if (appended.type === "refused") {
      if (seen?.lane === "content") kept.heard.refused(seen, appended, now);
      return appended;
    }
    const { epoch, offset } = kept.position;
    const stored = { epoch, firstOffset: offset - events.length + 1, count: events.length };
    kept.heardAt = now;
    if (seen) this.#remember(seen, kept, { ...stored, at: now });
    this.#broker.keep(channel, kept, now + this.#options.history.ttlMs);
    this.#broker.publish(channel, appended.events);
    return { type: "stored", ...stored };
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

  async positions(channels: readonly AnalysisChannel[]): Promise<ChannelPositions> {
    const now = this.#options.clock.now();
    const positions = channels.map((channel) => this.#broker.find(channel, now)?.position ?? NOTHING);
    return { line: LINE, positions };
  }

  async subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    const listener: Listener = {
      subscriber,
      active: true,
      failed: (error) => {
        this.#options.telemetry.count("subscriber_faults");
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

  health(): BrokerHealth {
    return { status: "up", warnings: [] };
  }

  async close(): Promise<void> {
    this.#stopForgetting();
    for (const [listener, channel] of this.#listeners) this.#broker.removeListener(channel, listener);
    this.#listeners.clear();
  }

  #seenBefore(seen: DeduplicationKey, kept: KeptChannel, now: number): AppendOutcome | undefined {
    if (seen.lane === "content") {
      const found = kept.heard.find(seen, kept.position.offset, now);
      if (found.type === "new") return undefined;
      return found.type === "refused" ? found : duplicateOf(found.place);
    }
    const first =
      seen.lane === "entry"
        ? kept.seenEntry(seen.id)
        : this.#memoryOf(seen.scope, kept).find(seen.lane, seen.name, seen.windowMs, now);
    return first && duplicateOf(first);
  }

  #remember(seen: DeduplicationKey, kept: KeptChannel, first: FirstTime): void {
    if (seen.lane === "entry") kept.lastEntry = { id: seen.id, first };
    else if (seen.lane === "content") kept.heard.stored(seen, first);
    else this.#memoryOf(seen.scope, kept).remember(seen.lane, seen.name, first, seen.rememberMs);
  }

  #memoryOf(scope: "channel" | "notices", kept: KeptChannel): DeduplicationMemory {
    return scope === "notices" ? this.#broker.seenNotices : kept.seen;
  }
}

function duplicateOf({ epoch, firstOffset, count }: FirstTime): AppendOutcome {
  return { type: "duplicate", epoch, firstOffset, count };
}
