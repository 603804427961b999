import { NewerFormat } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type {
  AppendOutcome,
  AppendRequest,
  AttemptRefusal,
  BrokerHealth,
  ChannelPositions,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  HistoryPage,
  PubSubPort,
  SeenBefore,
} from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { randomEpoch } from "../random-epoch.ts";
import { RedisCommands, type ScriptReply } from "./redis-commands.ts";
import { keysOf, publishedOn, seenKey } from "./redis-keys.ts";
import type { RedisTarget } from "./redis-link.ts";
import {
  eventOf,
  eventOfMessage,
  flagOf,
  spansOfText,
  stagesOfText,
  viewersOfText,
  viewersToText,
} from "./redis-messages.ts";
import { RedisSubscriptions } from "./redis-subscriptions.ts";

export interface RedisPubSubOptions {
  readonly target: RedisTarget;
  readonly history: { readonly size: number; readonly ttlMs: number };
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** Of what the scripts keep. */
const FORMAT = "1";

/**
 * `PubSubPort` on one Redis, 7 or newer. Connects when it is made and comes back by itself. Two connections: one for
 * scripts, one that listens.
 */
export class RedisPubSub implements PubSubPort {
  readonly kind = "redis";
  readonly #options: RedisPubSubOptions;
  readonly #commands: RedisCommands;
  readonly #subscriptions: RedisSubscriptions;
  #newerFormat: string | undefined;

  constructor(options: RedisPubSubOptions) {
    this.#options = options;
    this.#commands = new RedisCommands({ ...options, purpose: "commands" });
    this.#subscriptions = new RedisSubscriptions({
      ...options,
      publish: (channel, message) => this.#commands.publish(channel, message),
    });
  }

  async append({ channel, events, seen }: AppendRequest): Promise<AppendOutcome> {
    const { size, ttlMs } = this.#options.history;
    const { record, history, viewers } = keysOf(channel);
    const args = [FORMAT, randomEpoch(), randomEpoch(), `${size}`, `${ttlMs}`, this.#published(channel)];
    args.push(...seenArguments(channel, seen));
    for (const { kind, stage, timestamp, attemptId, members } of events) {
      args.push(flagOf(kind), stage ?? "", timestamp, attemptId ?? "", members);
    }
    const reply = this.#known(await this.#commands.write("appendEvents", [record, history, viewers], args));
    return outcomeOf(reply);
  }

  async snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const { record, viewers, history } = keysOf(channel);
    const keys = [record, viewers, history];
    return snapshotOf(this.#known(await this.#commands.read("readChannel", keys, [FORMAT])));
  }

  async history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const { record, history } = keysOf(channel);
    const from = after === undefined ? ["oldest", "", "0"] : ["from", after.epoch, `${after.offset}`];
    return pageOf(
      this.#known(await this.#commands.read("readHistory", [record, history], [FORMAT, ...from, `${limit}`])),
    );
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
    await this.#commands.write("declareViewers", [keysOf(channel).viewers], args);
  }

  health(): BrokerHealth {
    const { warnings } = this.#commands;
    const reason = this.#newerFormat ?? this.#commands.away ?? this.#subscriptions.away;
    return reason === undefined ? { status: "up", warnings } : { status: "down", reason, warnings };
  }

  async close(): Promise<void> {
    this.#commands.close();
    this.#subscriptions.close();
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

function seenArguments(channel: ChannelName, seen: SeenBefore | undefined): string[] {
  if (seen === undefined) return ["", "", "", "0", "0"];
  if (seen.lane === "entry") return ["entry", "", seen.id, "0", "0"];
  return [seen.scope, ...seenKey(channel, seen), `${seen.windowMs}`, `${seen.rememberMs}`];
}

function outcomeOf([type, a, b, c]: ScriptReply): AppendOutcome {
  switch (type) {
    case "STORED":
      return { type: "stored", epoch: String(a), firstOffset: Number(b), count: Number(c) };
    case "DUPLICATE":
      return { type: "duplicate", epoch: String(a), firstOffset: Number(b), count: Number(c) };
    case "REFUSED":
      return { type: "refused", code: a as AttemptRefusal, index: Number(b) };
    default:
      throw new Error(`the append script answered ${String(type)}`);
  }
}

function snapshotOf(reply: ScriptReply): ChannelSnapshot {
  const [, now, viewers, epoch, offset, epochs, heard, status, terminal, stages, attempt, oldest] =
    reply.map(textOrUndefined);
  return {
    position: { epoch: epoch ?? "", offset: Number(offset ?? 0) },
    lastStatus: status === undefined ? undefined : eventOfMessage(status),
    standingTerminal: terminal === undefined ? undefined : eventOfMessage(terminal),
    stages: stagesOfText(stages ?? ""),
    attemptId: attempt,
    spans: spansOfText(epochs ?? ""),
    oldestKept: Number(oldest ?? 1),
    viewers: viewers === undefined ? undefined : viewersOfText(viewers),
    heardAt: heard === undefined ? undefined : Number(heard),
    brokerNow: Number(now),
  };
}

function positionsOf([, line, ...stands]: ScriptReply): ChannelPositions {
  const positions = Array.from({ length: stands.length / 2 }, (_, index) => ({
    epoch: String(stands[2 * index]),
    offset: Number(stands[2 * index + 1]),
  }));
  return { line: String(line), positions };
}

function pageOf([, resumed, epoch, offset, rows, oldest, epochs]: ScriptReply): HistoryPage {
  const newest = Number(offset);
  return {
    resumed: resumed === 1,
    position: { epoch: String(epoch), offset: newest },
    kept: { oldestKept: Number(oldest), newest, spans: spansOfText(String(epochs)) },
    events: (rows as HistoryRow[]).map(([, [flag, text]]) => eventOf(flag, text)),
  };
}

type HistoryRow = readonly [id: string, fields: readonly [flag: string, text: string]];

function textOrUndefined(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
