import { isUtf8 } from "node:buffer";
import type { Redis } from "ioredis";
import { wordsOf } from "../../application/broker-trouble.ts";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  ASK_AGAIN_MS,
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
import type { RedisTarget } from "./redis-connection.ts";
import { isReply, readFailure, writeFailure } from "./redis-errors.ts";
import { INBOX_LEASE_KEY } from "./redis-keys.ts";
import { RedisLink } from "./redis-link.ts";
import { RedisLinks } from "./redis-links.ts";
import readInbox from "./scripts/read-inbox.lua" with { type: "text" };
import takeInbox from "./scripts/take-inbox.lua" with { type: "text" };
import { sendCommand } from "./send-command.ts";

interface RedisInboxOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The state that its connections share with the others of the gateway. Without it they are on their own. */
  readonly links?: RedisLinks | undefined;
  /** The name of this node in the lease. Default: a random one. */
  readonly node?: string;
}

/** Shorter than the timeout of a command: the link's own questions wait behind it. */
const ARRIVAL_MS = 1_000;

/**
 * The stream that workers XADD to. Two connections: large batches must not hold up what publishers and watchers wait
 * for, and the one that waits for the next entry answers nothing else meanwhile.
 */
export class RedisInbox implements InboxPort {
  readonly takesWorkerChannels = false;
  readonly #node: string;
  readonly #clock: ClockPort;
  readonly #commands: RedisLink;
  readonly #waiting: RedisLink;

  constructor(options: RedisInboxOptions) {
    this.#node = options.node ?? crypto.randomUUID();
    this.#clock = options.clock;
    const links = options.links ?? new RedisLinks(options.clock, options.telemetry);
    this.#commands = new RedisLink({ ...options, links, purpose: "inbox", onReady: () => {} });
    this.#waiting = new RedisLink({ ...options, links, purpose: "inbox-wait", onReady: () => {} });
  }

  async take(): Promise<Taken> {
    const limits = [LEASE_MS, INBOX_BATCH.items, INBOX_BATCH.bytes, MAX_EVENT_BYTES, SHOWN_BYTES];
    // The text goes with every call: a few hundred bytes, and nothing to load again.
    const [type, answer] = (await send(this.#commands, readFailureOf(takeInbox), (redis) =>
      redis.callBuffer("EVAL", takeInbox, 2, INBOX, INBOX_LEASE_KEY, this.#node, ...limits),
    )) as [Buffer, number | EntryReply[]];
    if (type.toString() === "ELSEWHERE") {
      return { type: "elsewhere", againMs: Math.min(ASK_AGAIN_MS, Number(answer) + 1) };
    }
    return {
      type: "batch",
      entries: (answer as EntryReply[]).map((reply) => entryOf(reply, this.#clock.now())),
    };
  }

  async arrival(): Promise<void> {
    await send(this.#waiting, readFailure, (redis) =>
      // It reads bytes, which nobody looks at, since an entry may be of any size.
      redis.callBuffer("XREAD", "COUNT", 1, "BLOCK", ARRIVAL_MS, "STREAMS", INBOX, "0"),
    );
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await send(this.#commands, writeFailure, (redis) => redis.xdel(INBOX, ...ids));
  }

  async release(): Promise<void> {
    await send(this.#commands, writeFailure, (redis) => redis.eval(RELEASE, 1, INBOX_LEASE_KEY, this.#node));
  }

  async backlog(): Promise<InboxBacklog> {
    const [now, entries, oldest] = (await send(this.#commands, readFailureOf(readInbox), (redis) =>
      redis.eval(readInbox, 1, INBOX),
    )) as [number, number, string];
    if (oldest === "") return { entries, oldest: undefined };
    const addedAt = timeOfId(oldest, now);
    return { entries, oldest: { id: oldest, ageMs: addedAt && Math.max(0, now - addedAt) } };
  }

  compareIds(one: string, other: string): number {
    return compareTimedIds(one, other);
  }

  async close(): Promise<void> {
    this.#commands.close();
    this.#waiting.close();
  }
}

type EntryReply = readonly [id: Buffer, type: Buffer, payload: Buffer, tail?: Buffer];

const RELEASE = `#!lua
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

function entryOf([idBytes, type, payload, tail]: EntryReply, now: number): InboxEntry {
  const id = idBytes.toString();
  const taken = { id, addedAt: timeOfId(id, now) };
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

/** Sends a command to an inbox that somebody may have made something else by hand. */
async function send<Answer>(
  link: RedisLink,
  translate: (error: unknown) => unknown,
  command: (redis: Redis) => Promise<Answer>,
): Promise<Answer> {
  return sendCommand(link, (error) => noStream(error) ?? translate(error), command);
}

function noStream(error: unknown): BrokerUnavailable | undefined {
  if (!isReply(error) || !error.message.includes("WRONGTYPE")) return undefined;
  const trouble = { cause: "no_stream" } as const;
  return new BrokerUnavailable(wordsOf(trouble), { cause: error, trouble });
}
