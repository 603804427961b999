import { isUtf8 } from "node:buffer";
import type { Redis } from "ioredis";
import { wordsOf } from "../../application/broker-trouble.ts";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  ASK_AGAIN_MS,
  ENTRY_KEY,
  INBOX,
  INBOX_BATCH,
  type InboxBacklog,
  type InboxEntry,
  type InboxPort,
  LEASE_MS,
  SHOWN_BYTES,
  type Taken,
} from "../../application/ports/inbox-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import { compareTimedIds, timeOfId } from "../system/timed-id.ts";
import type { PerPrimary } from "./per-primary.ts";
import { isReply, readFailure, writeFailure } from "./redis-errors.ts";
import { INBOX_INCARNATION_KEY, INBOX_LEASE_KEY } from "./redis-keys.ts";
import { RedisLink, type RedisLinkOptions } from "./redis-link.ts";
import { RedisServers, type RedisServersOptions } from "./redis-servers.ts";
import mendInbox from "./scripts/mend-inbox.lua" with { type: "text" };
import readInbox from "./scripts/read-inbox.lua" with { type: "text" };
import removeEntries from "./scripts/remove-entries.lua" with { type: "text" };
import takeInbox from "./scripts/take-inbox.lua" with { type: "text" };
import { sendCommand } from "./send-command.ts";

interface RedisInboxOptions extends RedisServersOptions {
  /** The servers of the gateway, which other adapters use too. Default: its own. */
  readonly servers?: RedisServers | undefined;
  /** The name of this node in the lease. Default: a random one. */
  readonly node?: string;
}

/** Shorter than the timeout of a command: the link's own questions wait behind it. */
const ARRIVAL_MS = 1_000;
/** How often the node that takes looks whether an empty inbox has ids left. Redis counts each look as an error. */
const MEND_EVERY_MS = 5_000;

/**
 * The stream that workers XADD to. Two connections: large batches must not hold up what publishers and watchers wait
 * for, and the one that waits for the next entry answers nothing else meanwhile.
 */
export class RedisInbox implements InboxPort {
  readonly takesWorkerChannels = false;
  readonly #node: string;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #owner: PerPrimary<InboxConnections>;
  #mendAt = Number.NEGATIVE_INFINITY;

  constructor(options: RedisInboxOptions) {
    this.#node = options.node ?? crypto.randomUUID();
    this.#clock = options.clock;
    this.#telemetry = options.telemetry;
    const { clock, telemetry, servers = new RedisServers(options) } = options;
    this.#owner = servers.ownerOf(INBOX, (primary) => {
      const connected = { target: primary.target, links: servers.linksOf(primary), clock, telemetry };
      return new InboxConnections(connected);
    });
  }

  async take(): Promise<Taken> {
    const limits = [LEASE_MS, INBOX_BATCH.items, INBOX_BATCH.bytes, MAX_EVENT_BYTES, SHOWN_BYTES];
    // The text goes with every call: a few hundred bytes, and nothing to load again.
    const [type, answer, incarnation] = (await this.#send("commands", readFailureOf(takeInbox), (redis) =>
      redis.callBuffer(
        "EVAL",
        takeInbox,
        3,
        INBOX,
        INBOX_LEASE_KEY,
        INBOX_INCARNATION_KEY,
        this.#node,
        ...limits,
        ENTRY_KEY,
      ),
    )) as [Buffer, number | EntryReply[], Buffer?];
    if (type.toString() === "ELSEWHERE") {
      return { type: "elsewhere", againMs: Math.min(ASK_AGAIN_MS, Number(answer) + 1) };
    }
    const replies = answer as EntryReply[];
    if (replies.length === 0) await this.#mend();
    const prefix = prefixOf(String(incarnation));
    return { type: "batch", entries: replies.map((reply) => entryOf(reply, prefix, this.#clock.now())) };
  }

  async arrival(): Promise<void> {
    await this.#send("waiting", readFailure, (redis) =>
      // It reads bytes, which nobody looks at, since an entry may be of any size.
      redis.callBuffer("XREAD", "COUNT", 1, "BLOCK", ARRIVAL_MS, "STREAMS", INBOX, "0"),
    );
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const [incarnation, places] of byIncarnation(ids))
      await this.#send(
        "commands",
        (error) => writeFailure(error, removeEntries),
        (redis) => redis.eval(removeEntries, 2, INBOX, INBOX_INCARNATION_KEY, incarnation, ...places),
      );
  }

  async release(): Promise<void> {
    await this.#send("commands", writeFailure, (redis) =>
      redis.eval(RELEASE, 1, INBOX_LEASE_KEY, this.#node),
    );
  }

  async backlog(): Promise<InboxBacklog> {
    const [now, entries, oldest, incarnation, usedUp] = (await this.#send(
      "commands",
      readFailureOf(readInbox),
      (redis) => redis.eval(readInbox, 2, INBOX, INBOX_INCARNATION_KEY),
    )) as [number, number, string, string, number];
    if (oldest === "") return { entries, oldest: undefined };
    const addedAt = timeOfId(oldest, now);
    const id = prefixOf(incarnation) + oldest;
    const ageMs = addedAt && Math.max(0, now - addedAt);
    return { entries, oldest: { id, ageMs }, ...(usedUp === 1 && { refuses: USED_UP }) };
  }

  compareIds(one: string, other: string): number {
    return compareTimedIds(one, other);
  }

  async close(): Promise<void> {
    this.#owner.close();
  }

  /** Sends a command to an inbox that somebody may have made something else by hand. */
  #send<Answer>(
    over: "commands" | "waiting",
    translate: (error: unknown) => unknown,
    command: (redis: Redis) => Promise<Answer>,
  ): Promise<Answer> {
    return this.#owner.at(INBOX, (connections) =>
      sendCommand(connections[over], (error) => noStream(error) ?? translate(error), command),
    );
  }

  /** Makes the inbox anew if no worker can add to it any more. */
  async #mend(): Promise<void> {
    const now = this.#clock.now();
    if (Math.abs(now - this.#mendAt) < MEND_EVERY_MS) return;
    this.#mendAt = now;
    const mended = await this.#send(
      "commands",
      (error) => writeFailure(error, mendInbox),
      (redis) => redis.eval(mendInbox, 2, INBOX, INBOX_INCARNATION_KEY),
    );
    if (mended === 1) this.#telemetry.log("warn", "the inbox was made anew", { reason: wordsOf(USED_UP) });
  }
}

/** The connections to the owner of the inbox. */
class InboxConnections {
  readonly commands: RedisLink;
  readonly waiting: RedisLink;

  constructor(options: Omit<RedisLinkOptions, "purpose" | "onReady">) {
    this.commands = new RedisLink({ ...options, purpose: "inbox", onReady: () => {} });
    this.waiting = new RedisLink({ ...options, purpose: "inbox-wait", onReady: () => {} });
  }

  close(): void {
    this.commands.close();
    this.waiting.close();
  }
}

const USED_UP = { cause: "ids_used_up" } as const;

type EntryReply = readonly [id: Buffer, type: Buffer, payload: Buffer, key: Buffer, tail?: Buffer];

const RELEASE = `#!lua
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

function prefixOf(incarnation: string): string {
  return incarnation === "" ? "" : `${incarnation}-`;
}

/** Places of entries in the stream, by the incarnation of the inbox that they were taken from, which is "" for the first. */
function byIncarnation(ids: readonly string[]): Map<string, string[]> {
  const places = new Map<string, string[]>();
  for (const id of ids) {
    const [, incarnation = "", place = id] = /^(?:(\d+)-)?(\d+-\d+)$/.exec(id) ?? [];
    const others = places.get(incarnation);
    if (others === undefined) places.set(incarnation, [place]);
    else others.push(place);
  }
  return places;
}

function entryOf([idBytes, type, payload, key, tail]: EntryReply, prefix: string, now: number): InboxEntry {
  const place = idBytes.toString();
  // By its bytes, whatever they are: no two keys become the same.
  const named = key.length > 0 && { key: key.toString("latin1") };
  const taken = { id: prefix + place, addedAt: timeOfId(place, now), ...named };
  const entry = { ...taken, payload: payload.toString(), ...(tail && { tail: tail.toString() }) };
  switch (type.toString()) {
    case "NONE":
      return { ...entry, type: "unreadable", fault: "no_event" };
    case "LARGE":
      return { ...entry, type: "unreadable", fault: "too_large" };
    default:
      // Read as text, different bytes would become the same characters.
      if (!isUtf8(payload)) return { ...entry, type: "unreadable", fault: "garbled" };
      return { ...taken, type: "event", event: entry.payload };
  }
}

function readFailureOf(script: string): (error: unknown) => unknown {
  return (error) => readFailure(error, script);
}

function noStream(error: unknown): BrokerUnavailable | undefined {
  if (!isReply(error) || !error.message.includes("WRONGTYPE")) return undefined;
  const trouble = { cause: "no_stream" } as const;
  return new BrokerUnavailable(wordsOf(trouble), { cause: error, trouble });
}
