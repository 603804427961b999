import { type BrokerTrouble, wordsOf } from "../../application/broker-trouble.ts";
import type { BrokerFault, BrokerHealth } from "../../application/ports/broker-health.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  type AppendOutcome,
  type AppendRequest,
  type ChannelPosition,
  type ChannelSnapshot,
  type ChannelSubscriber,
  type ChannelSubscription,
  type Durability,
  type HistoryPage,
  PAGE_BYTES,
  type PubSubPort,
} from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { Slots } from "../broker/slots.ts";
import { type AppendPurpose, AppendTrials, TrialAppend } from "./append-trials.ts";
import { KnownFormat } from "./known-format.ts";
import { ANSWER_MS, CALL_MS, type HistoryLimits, RedisAppends } from "./redis-appends.ts";
import { RedisCommands } from "./redis-commands.ts";
import type { RedisTarget } from "./redis-connection.ts";
import { isCrossSlot } from "./redis-errors.ts";
import { keysOf, publishedOn } from "./redis-keys.ts";
import { RedisLinks } from "./redis-links.ts";
import { RedisReplicas, type RequiredReplicas } from "./redis-replicas.ts";
import { RedisSubscriptions } from "./redis-subscriptions.ts";
import { pageOf, positionsOf, snapshotOf, viewersOfText, viewersToText } from "./stored-format.ts";

interface RedisPubSubOptions {
  readonly target: RedisTarget;
  readonly history: HistoryLimits;
  /** The number of replicas that must hold every acknowledged event. Default: `seen`. */
  readonly waitReplicas?: RequiredReplicas;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The state that its connections share with the others of the gateway. Without it they are on their own. */
  readonly links?: RedisLinks | undefined;
}

/**
 * The most pages of history that are asked for at once. Redis carries out the questions of one connection in one go, and
 * the others wait for as long as it takes to read a mebibyte each.
 */
const HISTORY_READS = 4;

/**
 * `PubSubPort` on one Redis, 7 or newer. It connects when it is made and comes back by itself. It has three connections:
 * one on which publishers are answered, which is held up if it waits for replicas; one for everything that need not wait
 * for them; one that listens.
 */
export class RedisPubSub implements PubSubPort {
  readonly kind = "redis";
  readonly mostBytes = MAX_EVENT_BYTES;
  readonly #options: RedisPubSubOptions;
  readonly #publishing: RedisCommands;
  readonly #commands: RedisCommands;
  readonly #replicas: RedisReplicas;
  readonly #links: RedisLinks;
  readonly #format: KnownFormat;
  readonly #appends: RedisAppends;
  readonly #trials: AppendTrials;
  readonly #subscriptions: RedisSubscriptions;
  readonly #historyReads = new Slots(HISTORY_READS);
  /** On a Cluster each channel lies in a slot of its own, so that each is asked for by itself. */
  #isCluster = false;
  /** Whether Redis writes every command to a file; undefined as long as the gateway was not told. */
  #appendsToFile: boolean | undefined;

  constructor(options: RedisPubSubOptions) {
    this.#options = options;
    const { telemetry, clock, history, waitReplicas = "seen" } = options;
    const links = options.links ?? new RedisLinks(clock, telemetry);
    this.#links = links;
    this.#format = new KnownFormat(links);
    const shared = { ...options, links };
    const appending = (purpose: AppendPurpose) => ({
      ...shared,
      purpose,
      onReady: () => this.#trials.made(purpose),
      onLost: () => this.#trials.lost(purpose),
    });
    this.#publishing = new RedisCommands({
      ...appending("publishing"),
      information: (info) => {
        this.#replicas.look(info);
        this.#appendsToFile = /^aof_enabled:1/m.test(info);
      },
    });
    this.#replicas = new RedisReplicas({
      required: waitReplicas,
      wait: (replicas, milliseconds) => this.#publishing.wait(replicas, milliseconds),
      clock,
      telemetry,
    });
    this.#commands = new RedisCommands(appending("commands"));
    const connections = { publishing: this.#publishing, commands: this.#commands };
    this.#appends = new RedisAppends({
      ...connections,
      db: options.target.db,
      history,
      replicas: this.#replicas,
      format: this.#format,
      links,
      onFailure: (acknowledged, error) =>
        this.#trials.failed(acknowledged ? "publishing" : "commands", error),
    });
    const trial = new TrialAppend();
    this.#trials = new AppendTrials({
      clock,
      telemetry,
      links,
      isUp: (purpose) => connections[purpose].away === undefined,
      attempt: async (purpose) => void (await this.#appends.send(trial.callFor(purpose))),
      lookAtFormat: () => this.#lookAtFormat(),
      serverOf: (purpose) => connections[purpose].server,
    });
    this.#subscriptions = new RedisSubscriptions({
      ...shared,
      publish: (channel, message) => this.#commands.publish(channel, message),
    });
  }

  get durability(): Durability {
    const keptIn = this.#appendsToFile ? "disk" : "memory";
    return {
      keptIn: this.#appendsToFile === undefined ? undefined : keptIn,
      replicas: this.#replicas.required,
    };
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    return this.#appends.append(request);
  }

  async snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const { record, viewers, history } = keysOf(channel);
    const keys = [record, viewers, history];
    const reply = await this.#commands.read("readChannel", keys, [this.#format.newest]);
    return snapshotOf(this.#format.understood(reply, channel));
  }

  async viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    const [, viewers] = await this.#commands.read("readViewers", [keysOf(channel).viewers], []);
    return typeof viewers === "string" ? viewersOfText(viewers) : undefined;
  }

  async history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const { record, history } = keysOf(channel);
    const from = after === undefined ? ["oldest", "", "0"] : ["from", after.epoch, `${after.offset}`];
    const args = [this.#format.newest, ...from, `${limit}`, `${PAGE_BYTES}`];
    const reply = await this.#historyReads.run(() =>
      this.#commands.read("readHistory", [record, history], args),
    );
    return pageOf(this.#format.understood(reply, channel));
  }

  async positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    const records = channels.map((channel) => keysOf(channel).record);
    if (!this.#isCluster) {
      try {
        return await this.#positionsOf(records);
      } catch (error) {
        if (!isCrossSlot(error)) throw error;
        this.#isCluster = true;
      }
    }
    return (await Promise.all(records.map((record) => this.#positionsOf([record])))).flat();
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    return this.#subscriptions.subscribe(this.#published(channel), subscriber);
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    const args = [viewersToText(viewers), `${this.#options.history.ttlMs}`, this.#published(channel)];
    this.#links.assertPermitted();
    await this.#publishing.writeBy(CALL_MS, "declareViewers", [keysOf(channel).viewers], (deadline) => [
      deadline,
      ...args,
    ]);
    await this.#replicas.hold(ANSWER_MS - CALL_MS);
  }

  health(): BrokerHealth {
    const { warnings } = this.#commands;
    const away =
      this.#commands.away ?? this.#subscriptions.away ?? this.#publishing.away ?? this.#format.trouble;
    const refuses = this.#trials.trouble;
    // A connection that is made anew says less than the cause for which the one before it was given up.
    const trouble = away?.cause === "connecting" && refuses !== undefined ? refuses : away;
    if (trouble !== undefined) return { status: "down", ...faultOf(trouble), warnings };
    return { status: "up", ...(refuses && { refuses: faultOf(refuses) }), warnings };
  }

  async close(): Promise<void> {
    this.#trials.close();
    this.#publishing.close();
    this.#commands.close();
    this.#subscriptions.close();
  }

  /** Looks whether the channel of a newer format that was met is still there. */
  async #lookAtFormat(): Promise<void> {
    const { met, newest } = this.#format;
    if (met === undefined) return;
    const { record, viewers, history } = keysOf(met);
    const [type] = await this.#commands.read("readChannel", [record, viewers, history], [newest]);
    if (type !== "NEWER") this.#format.forget();
  }

  async #positionsOf(records: readonly string[]): Promise<readonly ChannelPosition[]> {
    return positionsOf(await this.#commands.read("readPositions", records, [this.#format.newest]));
  }

  #published(channel: ChannelName): string {
    return publishedOn(channel, this.#options.target.db);
  }
}

function faultOf(trouble: BrokerTrouble): BrokerFault {
  return { cause: trouble.cause, reason: wordsOf(trouble) };
}
