import { type BrokerTrouble, wordsOf } from "../../application/broker-trouble.ts";
import { BrokerError, BrokerUnavailable } from "../../application/errors.ts";
import type { BrokerFault, BrokerHealth } from "../../application/ports/broker-health.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
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
} from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { OutageLog } from "../broker/outage-log.ts";
import { Slots } from "../broker/slots.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import type { HistoryLimits } from "./channel-appends.ts";
import { readHead, readLastPosition } from "./channel-head.ts";
import { readHistory } from "./channel-history.ts";
import { readKeptViewers, readSnapshot } from "./channel-snapshot.ts";
import { storeViewers } from "./channel-viewers.ts";
import { ClusterLineage } from "./cluster-lineage.ts";
import { CALL_MS, NatsAppends } from "./nats-appends.ts";
import { NatsClock } from "./nats-clock.ts";
import type { NatsTarget } from "./nats-connection.ts";
import { NatsEventStream } from "./nats-event-stream.ts";
import { NatsHeard } from "./nats-heard.ts";
import { NatsLink } from "./nats-link.ts";
import { ensureStream, type FoundStream } from "./nats-streams.ts";
import { NatsSubscriptions } from "./nats-subscriptions.ts";
import { NatsTrials } from "./nats-trials.ts";
import { NatsTrimming } from "./nats-trimming.ts";
import { NewerFormatWatch } from "./newer-format.ts";
import { EVENTS, KEYS_KNOWN_MS, RECORDS, STATE, subjectsOf } from "./subjects.ts";

interface NatsPubSubOptions {
  readonly target: NatsTarget;
  readonly history: HistoryLimits;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The outages that its connections tell together with the others of the gateway. Without it they are on their own. */
  readonly outages?: OutageLog | undefined;
  /** How long messages stay because a key of theirs may come again, in milliseconds. Default: 6 min. */
  readonly keysKnownMs?: number | undefined;
}

/** The most pages of history that are asked for at once: each makes a reader at the server. */
const HISTORY_READS = 8;
const NOTHING: EventPosition = { epoch: "", offset: 0 };
/** A message holds so many bytes beside its events, at most. */
const BESIDE_EVENTS = 64 * 1024;

/**
 * `PubSubPort` on NATS with JetStream, 2.9 or newer. It connects when it is made and comes back by itself. It has two
 * connections: one that asks, and one that listens.
 */
export class NatsPubSub implements PubSubPort {
  readonly kind = "nats";
  readonly #options: NatsPubSubOptions;
  readonly #format: NewerFormatWatch;
  readonly #brokerClock = new NatsClock();
  readonly #link: NatsLink;
  readonly #stream: NatsEventStream;
  readonly #heard: NatsHeard;
  readonly #appends: NatsAppends;
  readonly #trimming: NatsTrimming;
  readonly #trials: NatsTrials;
  readonly #subscriptions: NatsSubscriptions;
  readonly #historyReads = new Slots(HISTORY_READS);
  readonly #lineage = new ClusterLineage(randomEpoch);
  #streams: readonly FoundStream[] = [];

  constructor(options: NatsPubSubOptions) {
    this.#options = options;
    const { clock, telemetry, target } = options;
    const outages = options.outages ?? new OutageLog(clock, telemetry);
    const brokerClock = this.#brokerClock;
    this.#link = new NatsLink({
      ...{ target, clock, telemetry, outages, purpose: "requests" },
      check: async (connection, server) => {
        const wanted = [EVENTS, STATE, RECORDS];
        this.#streams = await Promise.all(wanted.map((stream) => ensureStream(connection, stream, server)));
      },
      onReady: () => this.#connectionChanged(),
      onLost: () => this.#connectionChanged(),
    });
    this.#stream = new NatsEventStream({
      link: this.#link,
      clock: brokerClock,
      timers: clock,
      isReplicated: () => this.#isReplicated,
      clusterLineage: this.#lineage,
    });
    this.#format = new NewerFormatWatch(outages, (channel) =>
      readHead(this.#stream, subjectsOf(channel), options.history.ttlMs),
    );
    this.#heard = new NatsHeard(this.#link);
    this.#trials = new NatsTrials({
      ...{ link: this.#link, brokerClock, clock, telemetry, outages },
      storedAt: async (sequence) => (await this.#stream.at(sequence))?.at,
      lookAtFormat: () => this.#format.lookAgain(),
      onStored: async (wasInDoubt) => {
        if (!this.#isReplicated) return;
        await (wasInDoubt ? this.#lineage.renew(this.#link) : this.#lineage.follow(this.#link));
      },
    });
    const { keysKnownMs = KEYS_KNOWN_MS } = options;
    this.#trimming = new NatsTrimming({
      ...{ stream: this.#stream, history: options.history, keysKnownMs, clock, telemetry },
    });
    this.#appends = new NatsAppends({
      ...{ stream: this.#stream, clock: brokerClock, history: options.history },
      ready: () => this.#ready(),
      mostMembers: () => (this.#link.server?.mostBytes ?? Number.POSITIVE_INFINITY) - BESIDE_EVENTS,
      mostBytes: () => this.mostBytes,
      heard: (channel) => this.#heard.tell(channel),
      onStored: (channel, { stored }) => {
        if (stored?.kept !== undefined) this.#trimming.stored(channel, stored.kept);
      },
    });
    this.#subscriptions = new NatsSubscriptions({
      ...{ target, clock, telemetry, outages, brokerClock },
      wasInTime: async (sequence, deadline) => {
        const message = await this.#stream.at(sequence);
        return message !== undefined && message.at < deadline;
      },
    });
  }

  get mostBytes(): number {
    const { server } = this.#link;
    return server === undefined
      ? MAX_EVENT_BYTES
      : Math.min(MAX_EVENT_BYTES, server.mostBytes - BESIDE_EVENTS);
  }

  get durability(): Durability {
    const events = this.#streams.find(({ name }) => name === EVENTS.name);
    return { keptIn: events?.keptIn, replicas: events && events.replicas - 1 };
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    if (request.deduplicate?.by === "occurrence")
      throw new Error("NATS has no worker channels, so it recognises no bare message");
    try {
      return await this.#format.during(request.channel, () => this.#appends.append(request));
    } catch (error) {
      if (error instanceof BrokerError && error.trouble.cause !== "busy") this.#trials.doubt();
      throw error;
    }
  }

  async snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    await this.#link.started;
    return this.#format.during(channel, () =>
      readSnapshot(this.#stream, subjectsOf(channel), {
        ttlMs: this.#options.history.ttlMs,
        heardAt: () => this.#heard.last(channel),
        now: () => this.#brokerClock.atMost(),
      }),
    );
  }

  async viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    await this.#link.started;
    const { ttlMs } = this.#options.history;
    return readKeptViewers(this.#stream, subjectsOf(channel), ttlMs, this.#brokerClock.atMost());
  }

  async history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    await this.#link.started;
    const { ttlMs } = this.#options.history;
    return this.#format.during(channel, () =>
      this.#historyReads.run(() => readHistory(this.#stream, subjectsOf(channel), ttlMs, after, limit)),
    );
  }

  async positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    await this.#link.started;
    const { lineage } = this.#stream;
    const { ttlMs } = this.#options.history;
    const positions = await Promise.all(
      channels.map((channel) =>
        this.#format.during(channel, () => readLastPosition(this.#stream, subjectsOf(channel), ttlMs)),
      ),
    );
    return positions.map((position = NOTHING) => ({ ...position, lineage }));
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    return this.#subscriptions.subscribe(channel, subscriber);
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    await this.#ready();
    const deadline = this.#brokerClock.deadlineIn(CALL_MS);
    await storeViewers(this.#stream, subjectsOf(channel).viewers, viewers, deadline);
  }

  health(): BrokerHealth {
    const warnings = this.#streams.flatMap((stream) => stream.warnings);
    const away = this.#link.away ?? this.#subscriptions.away ?? this.#format.trouble;
    if (away !== undefined) return { status: "down", ...faultOf(away), warnings };
    const refuses = this.#trials.trouble;
    return { status: "up", ...(refuses && { refuses: faultOf(refuses) }), warnings };
  }

  async close(): Promise<void> {
    this.#trials.close();
    this.#trimming.close();
    this.#subscriptions.close();
    this.#link.close();
  }

  #connectionChanged(): void {
    this.#appends.forget();
    this.#trials.connectionChanged();
    void this.#trials.try();
  }

  get #isReplicated(): boolean {
    return this.#streams.some(({ replicas }) => replicas > 1);
  }

  get #knowsEnough(): boolean {
    return this.#brokerClock.isKnown && !(this.#isReplicated && this.#trials.isInDoubt);
  }

  /** Resolves when appends may be sent: NATS is there, and its clock and its line of history are known. */
  async #ready(): Promise<void> {
    await this.#link.started;
    this.#link.assertUp();
    if (this.#knowsEnough) return;
    await this.#trials.try();
    if (this.#knowsEnough) return;
    const trouble = this.#link.away ?? this.#trials.trouble ?? ({ cause: "connecting" } as const);
    throw new BrokerUnavailable(`no trial was stored: ${wordsOf(trouble)}`, { trouble });
  }
}

function faultOf(trouble: BrokerTrouble): BrokerFault {
  return { cause: trouble.cause, reason: wordsOf(trouble) };
}
