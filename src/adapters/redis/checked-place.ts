import type { Redis } from "ioredis";
import { wordsOf } from "../../application/broker-trouble.ts";
import { BrokerError, BrokerUnavailable } from "../../application/errors.ts";
import type { PartFinding } from "../../application/ports/broker-self-check.ts";
import { grantHint, rulesFor } from "./redis-acl.ts";
import { connect, connected, endFor, type RedisTarget } from "./redis-connection.ts";
import { isReply, readFailure } from "./redis-errors.ts";
import type { RedisPart, Tried } from "./redis-parts.ts";
import type { RequiredReplicas } from "./redis-replicas.ts";

const WAIT_MS = 1_000;
const USED_UP_HINT = "run a gateway: it takes all entries and makes the inbox anew";

/** One server that is tried, over a connection of its own. */
export class CheckedPlace {
  readonly #target: RedisTarget;
  #connection: { readonly redis: Redis; readonly made: Promise<void> } | undefined;

  constructor(target: RedisTarget) {
    this.#target = target;
  }

  async version(): Promise<string | undefined> {
    const redis = await this.#connected();
    try {
      return /^redis_version:(\S+)/m.exec(await redis.info("server"))?.[1];
    } catch (error) {
      const failure = readFailure(error);
      if (failure instanceof BrokerError && failure.trouble.cause === "permission") return undefined;
      throw failure;
    }
  }

  close(): void {
    this.#connection?.redis.disconnect();
  }

  /** One attempt for all that ask. */
  async #connected(): Promise<Redis> {
    if (this.#connection === undefined) {
      const redis = connect(this.#target, "check", () => null);
      this.#connection = { redis, made: served(redis, this.#target) };
    }
    await this.#connection.made;
    return this.#connection.redis;
  }

  async try({ detail, tried }: RedisPart): Promise<PartFinding> {
    const redis = await orAway(this.#connected());
    if ("works" in redis) return redis;
    const missing = new Set<string>();
    const rules: string[] = [];
    let usedUp: BrokerUnavailable | undefined;
    // It is the database that the gateway works in, whoever else used the connection.
    for (const command of [["SELECT", `${this.#target.db}`] as const, ...tried]) {
      try {
        const lacked = await lackedBy(redis, command);
        if (lacked === undefined) continue;
        missing.add(lacked);
        rules.push(...rulesFor(lacked, command));
      } catch (error) {
        if (!(error instanceof BrokerUnavailable) || error.trouble.cause !== "ids_used_up") throw error;
        usedUp = error;
      }
    }
    if (missing.size === 0 && usedUp !== undefined)
      return { works: false, reason: wordsOf(usedUp.trouble), hint: USED_UP_HINT };
    return missing.size === 0 ? { works: true, detail } : this.#lacks(missing, rules);
  }

  async wait(required: RequiredReplicas): Promise<PartFinding> {
    const redis = await orAway(this.#connected());
    if ("works" in redis) return redis;
    const wanted = required === "seen" ? 0 : required;
    try {
      const having = await redis.wait(wanted, WAIT_MS);
      const found = `${having} ${having === 1 ? "replica" : "replicas"}`;
      if (having >= wanted) return { works: true, detail: `WAIT answers, ${found} in step` };
      return {
        works: false,
        reason: `${found} in step, and REDIS_WAIT_REPLICAS needs ${wanted}`,
        hint: "look at INFO replication, or lower REDIS_WAIT_REPLICAS",
      };
    } catch (error) {
      const failure = readFailure(error);
      if (!(failure instanceof BrokerError) || failure.trouble.cause !== "permission") throw failure;
      return this.#lacks(["WAIT"], ["+wait"]);
    }
  }

  #lacks(missing: Iterable<string>, rules: readonly string[]): PartFinding {
    return {
      works: false,
      reason: `the gateway's user lacks a permission: ${[...missing].join(", ")}`,
      hint: grantHint(this.#target.username, rules),
    };
  }
}

/** Rejects with `BrokerUnavailable` as well if Redis takes the connection and then asks for a password. */
async function served(redis: Redis, target: RedisTarget): Promise<void> {
  await connected(redis, target);
  try {
    await redis.ping();
  } catch (error) {
    // The parts tell of any other failure.
    const { trouble, detail } = endFor(error, target);
    if (trouble.cause === "credentials") throw new BrokerUnavailable(detail, { cause: error, trouble });
  }
}

/** Resolves with the permission that is missing for the command. */
async function lackedBy(redis: Redis, [command, ...args]: Tried): Promise<string | undefined> {
  try {
    await redis.call(command.toLowerCase(), ...args);
    return undefined;
  } catch (error) {
    if (isReply(error) && error.message.startsWith("NOSCRIPT")) return undefined;
    const script = command === "EVAL" ? args[0] : "";
    const failure = readFailure(error, script);
    if (!(failure instanceof BrokerError) || failure.trouble.cause !== "permission") throw failure;
    return failure.trouble.permission ?? command;
  }
}

/** The same, or the finding that the server cannot be reached, with the way to mend it. */
export async function orAway<Answer>(
  work: Promise<Answer>,
): Promise<Answer | (PartFinding & { readonly works: false })> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof BrokerUnavailable)) throw error;
    return { works: false, reason: wordsOf(error.trouble), hint: error.message };
  }
}
