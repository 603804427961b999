import { BrokerError, OutcomeUnknown } from "../../application/errors.ts";
import type { DeduplicationKey, OccurrenceKey } from "../../application/ports/deduplication-key.ts";
import type { AppendOutcome, AppendRequest, AttemptRefusal } from "../../application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../domain/channel.ts";
import { mostKept } from "../../domain/channel-record.ts";
import { AppendQueue, isAcknowledged } from "../broker/append-queue.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import type { KnownFormat } from "./known-format.ts";
import type { RedisCommands } from "./redis-commands.ts";
import { deduplicationKeyParts, keysOf, publishedOn, type TrialChannel } from "./redis-keys.ts";
import type { RedisLinks } from "./redis-links.ts";
import type { RedisReplicas } from "./redis-replicas.ts";
import { flagOf } from "./stored-format.ts";

interface RedisAppendsOptions {
  readonly db: number;
  readonly history: HistoryLimits;
  /** The connection on which publishers are answered. It is held up if it waits for replicas. */
  readonly publishing: RedisCommands;
  /** The connection for everything that need not wait for replicas. */
  readonly commands: RedisCommands;
  readonly replicas: RedisReplicas;
  readonly format: KnownFormat;
  readonly links: RedisLinks;
  /** Called for every call that failed. */
  readonly onFailure: (acknowledged: boolean, error: unknown) => void;
}

export interface HistoryLimits {
  readonly size: number;
  readonly ttlMs: number;
}

/** One call of the append script. */
export interface AppendScriptCall {
  readonly channel: ChannelName | TrialChannel;
  readonly requests: readonly Pick<AppendRequest, "events" | "deduplicate">[];
  /** Whether a publisher is answered for it, so that replicas must have it too. */
  readonly acknowledged: boolean;
  /** When the first of its appends was called, on `performance`'s clock. */
  readonly calledAt: number;
  readonly limits: HistoryLimits;
}

/** Milliseconds that Redis has for one call. */
export const CALL_MS = 2_000;
/** Milliseconds that Redis has since the first append of a call, which a queue may have held. */
const LATEST_CALL_MS = 4_000;
/** Milliseconds within which every caller of an append is answered, whatever happens. */
export const ANSWER_MS = 4_500;

/** The appends of one gateway. */
export class RedisAppends {
  readonly #options: RedisAppendsOptions;
  readonly #queue: AppendQueue;
  /** Its name among all gateways, by which the script recognises a call that comes twice. */
  readonly #gateway = randomEpoch();
  #calls = 0;

  constructor(options: RedisAppendsOptions) {
    this.#options = options;
    this.#queue = new AppendQueue({
      carryOut: (call) => this.#carryOut({ ...call, limits: options.history }),
      now: () => performance.now(),
    });
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    // At once, even if an earlier append to the channel still waits for its deadline.
    this.#connectionFor(isAcknowledged(request)).assertNotAway();
    this.#options.links.assertPermitted();
    return this.#queue.append(request);
  }

  /** Sends a call past the queue and everything else that holds appends back. Rejects as `append` does. */
  async send({
    channel,
    requests,
    acknowledged,
    calledAt,
    limits,
  }: AppendScriptCall): Promise<AppendOutcome[]> {
    const { format, db, replicas } = this.#options;
    const { record, history, viewers } = keysOf(channel);
    const call = `${this.#calls++}`;
    const within = Math.min(CALL_MS, calledAt + LATEST_CALL_MS - performance.now());
    const reply = await this.#connectionFor(acknowledged).writeBy(
      within,
      "appendEvents",
      [record, history, viewers],
      (deadline) => [
        format.newest,
        deadline,
        requests.every(({ deduplicate }) => deduplicate !== undefined) ? "" : this.#gateway,
        call,
        randomEpoch(),
        randomEpoch(),
        `${limits.size}`,
        `${mostKept(limits.size)}`,
        `${limits.ttlMs}`,
        publishedOn(channel, db),
        ...requestArguments(channel, requests),
      ],
    );
    const [type, ...answers] = format.understood(reply, channel);
    if (type === "REPEATED")
      throw new OutcomeUnknown("stored, but the answer went to another copy of the call");
    if (type !== "APPENDED") throw new Error(`the append script answered ${String(type)}`);
    if (acknowledged) await replicas.hold(calledAt + ANSWER_MS - performance.now());
    return answers.map(outcomeOf);
  }

  async #carryOut(call: AppendScriptCall): Promise<AppendOutcome[]> {
    try {
      return await this.send(call);
    } catch (error) {
      if (error instanceof BrokerError) this.#options.onFailure(call.acknowledged, error);
      throw error;
    }
  }

  #connectionFor(acknowledged: boolean): RedisCommands {
    return acknowledged ? this.#options.publishing : this.#options.commands;
  }
}

/** The arguments of append-events.lua that are about the requests. */
function requestArguments(
  channel: ChannelName | TrialChannel,
  requests: readonly Pick<AppendRequest, "events" | "deduplicate">[],
): string[] {
  const args: string[] = [];
  for (const { deduplicate, events } of requests) {
    args.push(...keyArguments(channel, deduplicate), `${events.length}`);
    for (const { kind, stage, timestamp, attemptId, members } of events) {
      args.push(flagOf(kind), stage ?? "", timestamp, attemptId ?? "", members);
    }
  }
  return args;
}

/** Reads an answer of append-events.lua to one request. */
function outcomeOf(answer: unknown): AppendOutcome {
  const [type, a, b, c] = answer as readonly unknown[];
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

function keyArguments(channel: ChannelName | TrialChannel, key: DeduplicationKey | undefined): string[] {
  if (key === undefined) return ["", "", "", "0", "0"];
  if (key.by === "entry") return ["entry", "", key.id, "0", "0"];
  const parts = deduplicationKeyParts(channel, key);
  if (key.by === "key") return [key.scope, ...parts, `${key.windowMs}`, `${key.rememberMs}`];
  const { stretch, number } = key.occurrence;
  // In the form in which the script looks for it: an occurrence that it finds at once it need not take apart.
  return [heardText(key), ...parts, `\n${stretch} `, `${number}`];
}

function heardText({ occurrence, reachMs, ageMs, retryMs, rememberMs }: OccurrenceKey): string {
  const times = [Math.ceil(reachMs), Math.floor(ageMs), Math.ceil(retryMs), rememberMs];
  return ["content", occurrence.before, occurrence.listener, ...times].join(" ");
}
