import type { Redis } from "ioredis";
import { wordsOf } from "../../application/broker-trouble.ts";
import { BrokerError, BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import type { BrokerPart, BrokerSelfCheck, PartFinding } from "../../application/ports/broker-self-check.ts";
import { connect, type RedisTarget } from "./redis-connection.ts";
import { isReply, readFailure, troubleOf } from "./redis-errors.ts";
import { type RedisPart, redisParts, type Tried } from "./redis-parts.ts";
import type { RequiredReplicas } from "./redis-replicas.ts";

interface RedisSelfCheckOptions {
  readonly target: RedisTarget;
  readonly waitReplicas: RequiredReplicas;
  readonly listen: ReadonlySet<"analysis" | "user" | "system">;
}

const WAIT_MS = 1_000;

/** `BrokerSelfCheck` on Redis: it sends every command that a gateway needs, so that all missing permissions show at once. */
export class RedisSelfCheck implements BrokerSelfCheck {
  readonly servers: readonly string[];
  readonly parts: readonly BrokerPart[];
  readonly #target: RedisTarget;
  #connection: { readonly redis: Redis; readonly made: Promise<void> } | undefined;

  constructor({ target, waitReplicas, listen }: RedisSelfCheckOptions) {
    this.#target = target;
    const { host, port, db } = target;
    this.servers = [`${host.includes(":") ? `[${host}]` : host}:${port}`];
    this.parts = [
      ...redisParts(db, listen).map((part) => ({ name: part.name, try: () => this.#try(part) })),
      ...(waitReplicas === 0 ? [] : [{ name: "replicas", try: () => this.#wait(waitReplicas) }]),
    ];
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

  async close(): Promise<void> {
    this.#connection?.redis.disconnect();
  }

  /** One attempt for all that ask. */
  async #connected(): Promise<Redis> {
    if (this.#connection === undefined) {
      const redis = connect(this.#target, "check", () => null);
      this.#connection = { redis, made: connected(redis) };
    }
    await this.#connection.made;
    return this.#connection.redis;
  }

  async #try({ detail, tried }: RedisPart): Promise<PartFinding> {
    const redis = await this.#connected();
    const missing = new Set<string>();
    // It is the database that the gateway works in, whoever else used the connection.
    for (const command of [["SELECT", `${this.#target.db}`] as const, ...tried]) {
      const lacked = await lackedBy(redis, command);
      if (lacked !== undefined) missing.add(lacked);
    }
    return missing.size === 0 ? { works: true, detail } : lacks([...missing]);
  }

  async #wait(required: RequiredReplicas): Promise<PartFinding> {
    const redis = await this.#connected();
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
      return lacks(["WAIT"]);
    }
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

/** Resolves once Redis serves the gateway's user in its database. */
async function connected(redis: Redis): Promise<void> {
  const end = Promise.withResolvers<void>();
  let last: unknown;
  redis.on("error", (error) => {
    last = error;
    if (isReply(error)) end.reject(unavailable(error));
  });
  redis.on("ready", () => end.resolve());
  redis.on("end", () => end.reject(unavailable(last)));
  await end.promise;
}

function unavailable(error: unknown): BrokerUnavailable {
  const trouble = troubleOf(error);
  return new BrokerUnavailable(error === undefined ? wordsOf(trouble) : reasonOf(error), {
    cause: error,
    trouble,
  });
}

function lacks(missing: readonly string[]): PartFinding {
  const rules = missing.map(ruleFor);
  return {
    works: false,
    reason: `the gateway's user lacks a permission: ${missing.join(", ")}`,
    hint: `allow it: ACL SETUSER … ${[...new Set(rules)].join(" ")}`,
  };
}

/** The ACL rule that gives a user this permission. */
function ruleFor(permission: string): string {
  if (permission.startsWith("keys")) return "~telltale:*";
  if (permission.startsWith("channels")) return "&*";
  return `+${permission.toLowerCase()}`;
}
