import { faultOf } from "../../application/broker-trouble.ts";
import type { BrokerHealth } from "../../application/ports/broker-health.ts";
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
  type WorkerAnswer,
} from "../../application/ports/pub-sub-port.ts";
import type { RunningIndexPort } from "../../application/ports/running-index-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { Slots } from "../broker/slots.ts";
import type { HistoryLimits } from "./append-script.ts";
import { EventConnections } from "./event-connections.ts";
import { KnownFormat } from "./known-format.ts";
import type { PerPrimary } from "./per-primary.ts";
import { ANSWER_MS, CALL_MS, RedisAppends } from "./redis-appends.ts";
import { RedisCancels } from "./redis-cancels.ts";
import { keysOf, publishedOn } from "./redis-keys.ts";
import { RedisPositions } from "./redis-positions.ts";
import type { RequiredReplicas } from "./redis-replicas.ts";
import { RedisRunningIndex } from "./redis-running-index.ts";
import type { ScriptName } from "./redis-scripts.ts";
import { RedisServers, type RedisServersOptions } from "./redis-servers.ts";
import { RedisSubscriptions } from "./redis-subscriptions.ts";
import { pageOf, type ScriptReply, snapshotOf, viewersOfText, viewersToText } from "./stored-format.ts";

interface RedisPubSubOptions extends RedisServersOptions {
  readonly history: HistoryLimits;
  /** The number of replicas that must hold every acknowledged event. Default: `seen`. */
  readonly waitReplicas?: RequiredReplicas;
  /** The servers of the gateway, which other adapters use too. Default: its own. */
  readonly servers?: RedisServers | undefined;
}

/**
 * The most pages of history that are asked for at once. Redis carries out the questions of one connection in one go, and
 * the others wait for as long as it takes to read a mebibyte each.
 */
const HISTORY_READS = 4;

/**
 * `PubSubPort` on one Redis, 7 or newer, or on a Cluster of such. It connects when it is made and comes back by itself. It has
 * three connections to each primary: two that `EventConnections` has, and one that listens.
 */
export class RedisPubSub implements PubSubPort {
  readonly kind = "redis";
  readonly mostBytes = MAX_EVENT_BYTES;
  readonly #options: RedisPubSubOptions;
  readonly #primaries: PerPrimary<EventConnections>;
  readonly #format: KnownFormat;
  readonly #appends: RedisAppends;
  readonly #cancels: RedisCancels;
  /** Beside the events, over the same connections. */
  readonly running: RunningIndexPort;
  readonly #subscriptions: RedisSubscriptions;
  readonly #historyReads = new Slots(HISTORY_READS);
  readonly #positions: RedisPositions;

  constructor(options: RedisPubSubOptions) {
    this.#options = options;
    const {
      telemetry,
      clock,
      target,
      history,
      waitReplicas = "seen",
      servers = new RedisServers(options),
    } = options;
    this.#format = new KnownFormat(servers.outages);
    this.#primaries = servers.each(
      (primary) =>
        new EventConnections({
          ...{ primary, links: servers.linksOf(primary), waitReplicas, clock, telemetry },
          send: (connections, call) => this.#appends.send(connections, call),
          lookAtFormat: () => this.#lookAtFormat(),
        }),
    );
    const shared = { db: target.db, primaries: this.#primaries, format: this.#format };
    this.running = new RedisRunningIndex(this.#primaries);
    this.#cancels = new RedisCancels({
      ...{ ...shared, ttlMs: history.ttlMs, telemetry },
      snapshot: (channel) => this.snapshot(channel),
    });
    this.#appends = new RedisAppends({
      ...{ ...shared, history },
      onFarCopy: (channel, request, how) => void this.#cancels.changeCopy(channel, request, how),
    });
    this.#positions = new RedisPositions({ ...shared, isCluster: "cluster" in target });
    this.#subscriptions = new RedisSubscriptions({
      ...{ servers, db: target.db, clock, telemetry },
      commandsAt: (primary) => this.#primaries.of(primary).commands,
    });
  }

  get durability(): Durability {
    const all = this.#primaries.all;
    const kept = new Set(all.map(({ keptIn }) => keptIn));
    return {
      keptIn: (["memory", undefined, "disk"] as const).find((place) => kept.has(place)),
      replicas: all.length === 0 ? 0 : Math.min(...all.map(({ replicas }) => replicas.required)),
    };
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    return this.#appends.append(request);
  }

  async snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const { record, viewers, history, cancel } = keysOf(channel);
    const keys = [record, viewers, history, cancel];
    const reply = await this.#read("readChannel", keys, [this.#format.newest]);
    return snapshotOf(this.#format.understood(reply, channel));
  }

  async viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    const [, viewers] = await this.#read("readViewers", [keysOf(channel).viewers], []);
    return typeof viewers === "string" ? viewersOfText(viewers) : undefined;
  }

  async history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const { record, history } = keysOf(channel);
    const from = after === undefined ? ["oldest", "", "0"] : ["from", after.epoch, `${after.offset}`];
    const args = [this.#format.newest, ...from, `${limit}`, `${PAGE_BYTES}`];
    const reply = await this.#historyReads.run(() => this.#read("readHistory", [record, history], args));
    return pageOf(this.#format.understood(reply, channel));
  }

  positions(channels: readonly AnalysisChannel[]): Promise<readonly (ChannelPosition | undefined)[]> {
    return this.#positions.of(channels.map((channel) => keysOf(channel).record));
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    return this.#subscriptions.subscribe(this.#published(channel), subscriber);
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    const args = [viewersToText(viewers), `${this.#options.history.ttlMs}`, this.#published(channel)];
    const { viewers: key } = keysOf(channel);
    await this.#primaries.at(key, async ({ publishing, replicas }) => {
      publishing.assertPermitted();
      await publishing.writeBy(
        () => CALL_MS,
        "declareViewers",
        [key],
        (deadline) => [deadline, ...args],
      );
      await replicas.hold(ANSWER_MS - CALL_MS);
    });
  }

  requestCancel(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended"> {
    return this.#cancels.request(channel, request);
  }

  signOfLife(channel: AnalysisChannel, attemptId?: string): Promise<WorkerAnswer> {
    return this.#cancels.signOfLife(channel, attemptId);
  }

  health(channel?: ChannelName): BrokerHealth {
    const isOf = (one: EventConnections) =>
      channel === undefined || one === this.#primaries.ownerOf(keysOf(channel).record);
    const all = this.#primaries.all.filter(isOf);
    const deaf =
      channel === undefined
        ? this.#subscriptions.away
        : this.#subscriptions.awayFor(this.#published(channel));
    const warnings = [...new Set(all.flatMap(({ warnings }) => warnings))];
    const away = first(all, (one) => one.away) ?? deaf ?? this.#format.trouble;
    const refuses = first(all, (one) => one.refuses);
    // A connection that is made anew says less than the cause for which the one before it was given up.
    const trouble = away?.cause === "connecting" && refuses !== undefined ? refuses : away;
    if (trouble !== undefined) return { status: "down", ...faultOf(trouble), warnings };
    return { status: "up", ...(refuses && { refuses: faultOf(refuses) }), warnings };
  }

  async close(): Promise<void> {
    this.#primaries.close();
    this.#subscriptions.close();
  }

  /** Looks whether the channel of a newer format that was met is still there. */
  async #lookAtFormat(): Promise<void> {
    const { met, newest } = this.#format;
    if (met === undefined) return;
    const { record, viewers, history, cancel } = keysOf(met);
    const [type] = await this.#read("readChannel", [record, viewers, history, cancel], [newest]);
    if (type !== "NEWER") this.#format.forget();
  }

  /** Reads at the primary that owns the slot of the keys. */
  #read(name: ScriptName, keys: readonly string[], args: readonly string[]): Promise<ScriptReply> {
    return this.#primaries.at(keys[0] ?? "", ({ commands }) => commands.read(name, keys, args));
  }

  #published(channel: ChannelName): string {
    return publishedOn(channel, this.#options.target.db);
  }
}

function first<One, Found>(all: readonly One[], find: (one: One) => Found | undefined): Found | undefined {
  for (const one of all) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}
