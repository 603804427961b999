import { NewerFormat, OutcomeUnknown } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  type AppendOutcome,
  type AppendRequest,
  type BrokerHealth,
  type ChannelPositions,
  type ChannelSnapshot,
  type ChannelSubscriber,
  type ChannelSubscription,
  type HistoryPage,
  PAGE_BYTES,
  type PubSubPort,
} from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { Slots } from "../../application/slots.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { randomEpoch } from "../random-epoch.ts";
import { outcomeOf, requestArguments } from "./append-call.ts";
import { type AppendCall, AppendQueue, isAcknowledged } from "./append-queue.ts";
import { RedisCommands, type ScriptReply } from "./redis-commands.ts";
import { keysOf, publishedOn } from "./redis-keys.ts";
import type { RedisTarget } from "./redis-link.ts";
import { viewersOfText, viewersToText } from "./redis-messages.ts";
import { RedisReplicas, type RequiredReplicas } from "./redis-replicas.ts";
import { pageOf, positionsOf, snapshotOf } from "./redis-replies.ts";
import { RedisSubscriptions } from "./redis-subscriptions.ts";

export interface RedisPubSubOptions {
  readonly target: RedisTarget;
  readonly history: { readonly size: number; readonly ttlMs: number };
  /** Replicas that must hold what is acknowledged; `seen` where left out. */
  readonly waitReplicas?: RequiredReplicas;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** Of what the scripts keep. */
const FORMAT = "1";

/**
 * Pages of history that are asked for at once: Redis carries out what one connection asks in one go, and others wait
 * for as long as it takes to read a mebibyte each.
 */
const HISTORY_READS = 4;

/** Milliseconds that Redis has for one call, and from when its first append was called, which a queue may have held. */
const CALL_MS = 2_000;
const LATEST_CALL_MS = 4_000;
/** Milliseconds within which whoever appends is answered, whatever happens. */
const ANSWER_MS = 4_500;

/**
 * `PubSubPort` on one Redis, 7 or newer. Connects when it is made and comes back by itself. Three connections: one on
 * which publishers are answered, held up where it waits for replicas; one for what need not wait for them; one that
 * listens.
 */
export class RedisPubSub implements PubSubPort {
  readonly kind = "redis";
  readonly #options: RedisPubSubOptions;
  readonly #publishing: RedisCommands;
  readonly #commands: RedisCommands;
  readonly #replicas: RedisReplicas;
  readonly #appends: AppendQueue;
  /** Among all gateways, so that a call is known when it comes twice. */
  readonly #gateway = randomEpoch();
  #calls = 0;
  readonly #subscriptions: RedisSubscriptions;
  readonly #historyReads = new Slots(HISTORY_READS);
  #newerFormat: string | undefined;

  constructor(options: RedisPubSubOptions) {
    this.#options = options;
    const { telemetry, waitReplicas = "seen" } = options;
    this.#publishing = new RedisCommands({
      ...options,
      purpose: "publishing",
      replication: (info) => this.#replicas.look(info),
    });
    this.#replicas = new RedisReplicas({
      required: waitReplicas,
      wait: (replicas, milliseconds) => this.#publishing.wait(replicas, milliseconds),
      clock: options.clock,
      telemetry,
    });
    this.#appends = new AppendQueue({
      carryOut: (call) => this.#carryOut(call),
      now: () => performance.now(),
    });
    this.#commands = new RedisCommands({ ...options, purpose: "commands" });
    this.#subscriptions = new RedisSubscriptions({
      ...options,
      publish: (channel, message) => this.#commands.publish(channel, message),
    });
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    // At once, also where an earlier append to the channel still waits for its deadline.
    this.#connectionFor(isAcknowledged(request)).assertNotAway();
    return this.#appends.append(request);
  }

  async snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const { record, viewers, history } = keysOf(channel);
    const keys = [record, viewers, history];
    return snapshotOf(this.#known(await this.#commands.read("readChannel", keys, [FORMAT])));
  }

  async viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    const [, viewers] = await this.#commands.read("readViewers", [keysOf(channel).viewers], []);
    return typeof viewers === "string" ? viewersOfText(viewers) : undefined;
  }

  async history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const { record, history } = keysOf(channel);
    const from = after === undefined ? ["oldest", "", "0"] : ["from", after.epoch, `${after.offset}`];
    const args = [FORMAT, ...from, `${limit}`, `${PAGE_BYTES}`];
    const reply = await this.#historyReads.run(() =>
      this.#commands.read("readHistory", [record, history], args),
    );
    return pageOf(this.#known(reply));
  }

  async positions(channels: readonly AnalysisChannel[]): Promise<ChannelPositions> {
    const records = channels.map((channel) => keysOf(channel).record);
    return positionsOf(await this.#commands.read("readPositions", records, [FORMAT]));
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    return this.#subscriptions.subscribe(this.#published(channel), subscriber);
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    const args = [viewersToText(viewers), `${this.#options.history.ttlMs}`, this.#published(channel)];
    await this.#publishing.writeBy(CALL_MS, "declareViewers", [keysOf(channel).viewers], (deadline) => [
      deadline,
      ...args,
    ]);
    await this.#replicas.hold(ANSWER_MS - CALL_MS);
  }

  health(): BrokerHealth {
    const { warnings } = this.#commands;
    const reason =
      this.#newerFormat ?? this.#publishing.away ?? this.#commands.away ?? this.#subscriptions.away;
    return reason === undefined ? { status: "up", warnings } : { status: "down", reason, warnings };
  }

  async close(): Promise<void> {
    this.#publishing.close();
    this.#commands.close();
    this.#subscriptions.close();
  }

  #connectionFor(acknowledged: boolean): RedisCommands {
    return acknowledged ? this.#publishing : this.#commands;
  }

  async #carryOut({ channel, requests, acknowledged, calledAt }: AppendCall): Promise<AppendOutcome[]> {
    const { size, ttlMs } = this.#options.history;
    const { record, history, viewers } = keysOf(channel);
    const call = `${this.#calls++}`;
    const within = Math.min(CALL_MS, calledAt + LATEST_CALL_MS - performance.now());
    const reply = await this.#connectionFor(acknowledged).writeBy(
      within,
      "appendEvents",
      [record, history, viewers],
      (deadline) => [
        FORMAT,
        deadline,
        requests.every(({ seen }) => seen !== undefined) ? "" : this.#gateway,
        call,
        randomEpoch(),
        randomEpoch(),
        `${size}`,
        `${ttlMs}`,
        this.#published(channel),
        ...requestArguments(channel, requests),
      ],
    );
    const [type, ...answers] = this.#known(reply);
    if (type === "REPEATED")
      throw new OutcomeUnknown("stored, but the answer went to another copy of the call");
    if (type !== "APPENDED") throw new Error(`the append script answered ${String(type)}`);
    if (acknowledged) await this.#replicas.hold(calledAt + ANSWER_MS - performance.now());
    return answers.map(outcomeOf);
  }

  #published(channel: ChannelName): string {
    return publishedOn(channel, this.#options.target.db);
  }

  /** Passes on what this version understands. */
  #known(reply: ScriptReply): ScriptReply {
    if (reply[0] !== "NEWER") return reply;
    const message = `Redis holds data of format ${reply[1]}, newer than ${FORMAT}: this gateway is too old for it`;
    if (this.#newerFormat === undefined) this.#options.telemetry.log("error", message);
    this.#newerFormat = message;
    throw new NewerFormat(message);
  }
}
