import { INBOX } from "../../application/ports/inbox-port.ts";
import { SYSTEM_CHANNEL } from "../../domain/channel.ts";
import { ALL_SLOTS, tagIn } from "./cluster-slots.ts";
import {
  DEAD_LETTERS_KEY,
  deadLetterIdentityKey,
  deadLetterIndexKeys,
  INBOX_LEASE_KEY,
  keysOf,
  listenersChannel,
  probeChannelOfNode,
  publishedOn,
} from "./redis-keys.ts";
import type { RedisPrimary } from "./slot-owners.ts";

/** A command of Redis with its arguments. */
export type Tried = readonly [command: string, ...args: readonly string[]];

/** One thing that a gateway does at Redis, and commands that need the same permissions and change nothing. */
export interface RedisPart {
  readonly name: string;
  readonly detail: string;
  readonly tried: readonly Tried[];
  /** If it is there, the owner of its slot does this alone. */
  readonly key?: string;
}

/** Hears the workers of these channels. */
type Listen = ReadonlySet<"analysis" | "user" | "system">;

/**
 * All that the gateway needs at a primary. Every command leaves Redis as it was: it is sent to a key that is not there, or asks
 * for what holds already.
 */
export function redisParts(
  db: number,
  listen: Listen,
  { slots, ownChannels }: Pick<RedisPrimary, "slots" | "ownChannels"> = ONE_REDIS,
): RedisPart[] {
  const channel = tagIn(slots, (random) => `analysis:${random}` as const);
  const [publish, subscribe] = ownChannels === "sharded" ? SHARDED : PLAIN;
  const { record, history, viewers } = keysOf(channel);
  const identity = deadLetterIdentityKey(crypto.randomUUID());
  const [books = ""] = deadLetterIndexKeys([]);
  const spare = `${books}:${crypto.randomUUID()}`;
  return [
    {
      name: "append",
      detail: "events can be numbered, kept and published",
      tried: [
        ["TIME"],
        ["INFO", "replication"],
        ["EVALSHA", NO_SCRIPT, "0"],
        ["HMGET", record, "none"],
        ["HGET", record, "none"],
        ["HEXISTS", record, "none"],
        ["HDEL", record, "none"],
        ["GET", viewers],
        ["SET", viewers, "", "XX"],
        ["XADD", history, "NOMKSTREAM", "*", "none", ""],
        ["XLEN", history],
        ["XTRIM", history, "MAXLEN", "1"],
        ["PEXPIRE", record, "1"],
        ["DEL", record],
        // No form of the command writes nothing, so the script takes the key away in the same step.
        ["EVAL", MADE_AND_GONE("HSET", "''"), "1", record],
        [publish, publishedOn(channel, db), ""],
      ],
    },
    { name: "history", detail: "events can be read", tried: [["XRANGE", history, "-", "+", "COUNT", "1"]] },
    {
      name: "subscribe",
      detail: "events can be heard",
      tried: [
        ...heardFor(subscribe, probeChannelOfNode(db, slots)),
        ...heardFor(subscribe, publishedOn(channel, db)),
      ],
    },
    ...(listen.size === 0 ? [] : [workerChannels(db, listen)]),
    {
      name: "inbox",
      key: INBOX,
      detail: "entries can be taken and removed",
      tried: [
        ["XLEN", INBOX],
        ["XRANGE", INBOX, "-", "+", "COUNT", "1"],
        ["XREAD", "COUNT", "1", "STREAMS", INBOX, "$"],
        ["XDEL", INBOX, "0-1"],
        ["GET", INBOX_LEASE_KEY],
        ["PTTL", INBOX_LEASE_KEY],
        // If nobody takes, it holds the lease for a millisecond. It never ends the lease of another.
        ["SET", INBOX_LEASE_KEY, "", "NX", "PX", "1"],
        ["DEL", `${INBOX_LEASE_KEY}:${crypto.randomUUID()}`],
        ["EVAL", IDS_LEFT, "1", INBOX],
      ],
    },
    {
      name: "dead letters",
      key: DEAD_LETTERS_KEY,
      detail: "they can be kept, read and removed",
      tried: [
        ["TIME"],
        ["XRANGE", DEAD_LETTERS_KEY, "-", "+", "COUNT", "1"],
        ["XREVRANGE", DEAD_LETTERS_KEY, "+", "-", "COUNT", "1"],
        ["XLEN", DEAD_LETTERS_KEY],
        ["XTRIM", DEAD_LETTERS_KEY, "MINID", "0-1"],
        ["XDEL", DEAD_LETTERS_KEY, "0-1"],
        ["XADD", spare, "NOMKSTREAM", "*", "none", ""],
        ["GET", identity],
        ["SET", identity, "", "XX"],
        ["DEL", identity],
        ["HGET", books, "none"],
        ["EVAL", MADE_AND_GONE("HINCRBY", "0"), "1", spare],
      ],
    },
  ];
}

function workerChannels(db: number, listen: Listen): RedisPart {
  const patterns = (["analysis", "user"] as const).filter((kind) => listen.has(kind));
  return {
    name: "worker channels",
    detail: `plain messages of workers can be heard: ${[...listen].join(", ")}`,
    tried: [
      ...patterns.flatMap((kind) => heardFor("PSUBSCRIBE", `${kind}:*`)),
      ...(listen.has("system") ? heardFor("SUBSCRIBE", SYSTEM_CHANNEL) : []),
      // Gateways that listen hear this word and do nothing.
      ["PUBLISH", listenersChannel(db), "hello"],
    ],
  };
}

/** The client lets nothing else through while the connection listens to anything. */
function heardFor(command: keyof typeof ENDS, channels: string): Tried[] {
  return [
    [command, channels],
    [ENDS[command], channels],
  ];
}

const ENDS = { SUBSCRIBE: "UNSUBSCRIBE", SSUBSCRIBE: "SUNSUBSCRIBE", PSUBSCRIBE: "PUNSUBSCRIBE" } as const;
const PLAIN = ["PUBLISH", "SUBSCRIBE"] as const;
const SHARDED = ["SPUBLISH", "SSUBSCRIBE"] as const;
const ONE_REDIS = { slots: ALL_SLOTS, ownChannels: "plain" } as const;

/** Redis has no script of this name. */
const NO_SCRIPT = "0".repeat(40);

/** Redis stores no entry of this id in a stream that has had one, but says first whether the ids are used up. */
const IDS_LEFT = `#!lua
local refusal = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', '0-1', 'none', '')
if type(refusal) == 'string' then redis.call('XDEL', KEYS[1], '0-1') end
if type(refusal) ~= 'table' or not string.find(refusal.err, 'exhausted', 1, true) then return end
return redis.error_reply('IDSUSEDUP ' .. refusal.err)`;

function MADE_AND_GONE(command: "HSET" | "HINCRBY", value: string): string {
  return ["#!lua", `redis.call('${command}', KEYS[1], 'none', ${value})`, "redis.call('DEL', KEYS[1])"].join(
    "\n",
  );
}
