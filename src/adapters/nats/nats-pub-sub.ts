import { faultOf, wordsOf } from "../../application/broker-trouble.ts";
import { BrokerError, BrokerUnavailable } from "../../application/errors.ts";
import type { BrokerHealth } from "../../application/ports/broker-health.ts";
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
  WorkerAnswer,
} from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { OutageLog } from "../broker/outage-log.ts";
import { Slots } from "../broker/slots.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import type { HistoryLimits } from "./channel-appends.ts";
import { readHead } from "./channel-head.ts";
import { type HistoryTerms, readHistory } from "./channel-history.ts";
import { readKeptViewers, readSnapshot } from "./channel-snapshot.ts";
import { storeViewers } from "./channel-viewers.ts";
import { ClusterLineage } from "./cluster-lineage.ts";
import { EventStreams } from "./event-streams.ts";
import { KnownHoles } from "./known-holes.ts";
import { CALL_MS, NatsAppends } from "./nats-appends.ts";
import { NatsCancels } from "./nats-cancels.ts";
import { NatsClock } from "./nats-clock.ts";
import type { NatsTarget } from "./nats-connection.ts";
import { NatsEventStream } from "./nats-event-stream.ts";
import { NatsLink } from "./nats-link.ts";
import { NatsRunningIndex } from "./nats-running-index.ts";
import { NatsSubscriptions } from "./nats-subscriptions.ts";
import { NatsTrials } from "./nats-trials.ts";
import { NatsTrimming } from "./nats-trimming.ts";
import { NewerFormatWatch } from "./newer-format.ts";
import { KEYS_KNOWN_MS, subjectsOf } from "./subjects.ts";

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
const CONNECTING = { cause: "connecting" } as const;
/** A message holds so many bytes beside its events, at most. */
const BESIDE_EVENTS = 64 * 1024;

/**
 * `PubSubPort` on NATS with JetStream, 2.9 or newer. It connects when it is made and comes back by itself. It has two
 * connections: one that asks, and one that listens.
 */
export class NatsPubSub implements PubSubPort {
  readonly kind = "nats";
  readonly running: NatsRunningIndex;
  readonly #format: NewerFormatWatch;
  readonly #brokerClock = new NatsClock();
  readonly #link: NatsLink;
  readonly #stream: NatsEventStream;
  readonly #cancels: NatsCancels;
  readonly #appends: NatsAppends;
  readonly #trimming: NatsTrimming;
  readonly #trials: NatsTrials;
  readonly #subscriptions: NatsSubscriptions;
  readonly #historyReads = new Slots(HISTORY_READS);
  readonly #terms: HistoryTerms;
  readonly #lineage = new ClusterLineage(randomEpoch);
  readonly #streams = new EventStreams();

  constructor(options: NatsPubSubOptions) {
    const { clock, telemetry, target, history, keysKnownMs = KEYS_KNOWN_MS } = options;
    const outages = options.outages ?? new OutageLog(clock, telemetry);
    const brokerClock = this.#brokerClock;
    this.#terms = { ttlMs: history.ttlMs, holes: new KnownHoles(telemetry) };
    this.#link = new NatsLink({
      ...{ target, clock, telemetry, outages, purpose: "requests" },
      check: (connection, server) => this.#streams.ensure(connection, server),
      onReady: () => this.#connectionChanged(),
      onLost: () => this.#connectionChanged(),
    });
    this.running = new NatsRunningIndex({ link: this.#link, clock });
    this.#stream = new NatsEventStream({
      ...{ link: this.#link, clock: brokerClock, timers: clock },
      isReplicated: this.#streams.areReplicated,
      clusterLineage: this.#lineage,
    });
    this.#format = new NewerFormatWatch(outages, (channel) =>
      readHead(this.#stream, subjectsOf(channel), history.ttlMs),
    );
    this.#trials = new NatsTrials({
      ...{ link: this.#link, brokerClock, clock, telemetry, outages },
      isReplicated: this.#streams.areReplicated,
      lookAtStreams: () => this.#streams.lookAgain(this.#link),
      storedAt: async (sequence) => (await this.#stream.at(sequence))?.at,
      lookAtFormat: () => this.#format.lookAgain(),
      onStored: async (wasInDoubt) => {
        if (!this.#streams.areReplicated()) return;
        await (wasInDoubt ? this.#lineage.renew(this.#link) : this.#lineage.follow(this.#link));
      },
    });
    const writing = { stream: this.#stream, clock: brokerClock, history };
    this.#trimming = new NatsTrimming({ ...writing, keysKnownMs, clock, telemetry });
    this.#cancels = new NatsCancels({ ...writing, link: this.#link, telemetry });
    this.#appends = new NatsAppends({
      ...writing,
      ready: () => this.#ready(),
      mostMembers: () => this.#mostMembers,
      mostBytes: () => this.mostBytes,
      cancels: this.#cancels,
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
    return Math.min(MAX_EVENT_BYTES, this.#mostMembers);
  }

  get durability(): Durability {
    return this.#streams.durability;
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

  snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const heardAt = () => this.#cancels.heard.last(channel);
    const terms = { ...this.#terms, heardAt, now: () => this.#brokerClock.atMost() };
    return this.#read(channel, () => readSnapshot(this.#stream, subjectsOf(channel), terms));
  }

  async viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    await this.#link.started;
    return readKeptViewers(this.#stream, subjectsOf(channel), this.#terms.ttlMs, this.#brokerClock.atMost());
  }

  history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    return this.#read(channel, () =>
      this.#historyReads.run(() => readHistory(this.#stream, subjectsOf(channel), this.#terms, after, limit)),
    );
  }

  async positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    const read = (channel: AnalysisChannel) =>
      this.#read(channel, () => this.#cancels.lastHeard(channel, this.#brokerClock.atMost()));
    await this.#link.started;
    const { lineage } = this.#stream;
    const positions = await Promise.all(channels.map(read));
    return positions.map((position) => ({ ...position, lineage }));
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    return this.#subscriptions.subscribe(channel, subscriber);
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    await this.#ready();
    const deadline = this.#brokerClock.deadlineIn(CALL_MS);
    await storeViewers(this.#stream, subjectsOf(channel).viewers, viewers, deadline);
  }

  requestCancel(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended"> {
    return this.#write(channel, () => this.#cancels.request(channel, request));
  }

  signOfLife(channel: AnalysisChannel, attemptId?: string): Promise<WorkerAnswer> {
    return this.#write(channel, () => this.#cancels.signOfLife(channel, attemptId));
  }

  health(): BrokerHealth {
    const warnings = [...this.#streams.warnings, ...this.#trials.warnings];
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

  async #read<Answer>(channel: ChannelName, read: () => Promise<Answer>): Promise<Answer> {
    await this.#link.started;
    return this.#format.during(channel, read);
  }

  async #write<Answer>(channel: AnalysisChannel, write: () => Promise<Answer>): Promise<Answer> {
    await this.#ready();
    return this.#format.during(channel, write);
  }

  #connectionChanged(): void {
    this.#appends.forget();
    this.#trials.connectionChanged();
    void this.#trials.try();
  }

  get #mostMembers(): number {
    return (this.#link.server?.mostBytes ?? Number.POSITIVE_INFINITY) - BESIDE_EVENTS;
  }

  get #knowsEnough(): boolean {
    return this.#brokerClock.isKnown && !(this.#streams.areReplicated() && this.#trials.isInDoubt);
  }

  /** Resolves when appends may be sent: NATS is there, and its clock and its line of history are known. */
  async #ready(): Promise<void> {
    await this.#link.started;
    this.#link.assertUp();
    if (this.#knowsEnough) return;
    await this.#trials.try();
    if (this.#knowsEnough) return;
    const trouble = this.#link.away ?? this.#trials.trouble ?? CONNECTING;
    throw new BrokerUnavailable(`no trial was stored: ${wordsOf(trouble)}`, { trouble });
  }
}
