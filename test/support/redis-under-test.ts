import type { Redis } from "ioredis";
import { openRedisBroker } from "../../src/adapters/redis/redis-broker.ts";
import type { RedisTarget } from "../../src/adapters/redis/redis-connection.ts";
import { RedisInbox } from "../../src/adapters/redis/redis-inbox.ts";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import type { BrokerUnderTest } from "../../src/testing/contracts/broker-under-test.ts";
import type { InboxUnderTest } from "../../src/testing/contracts/inbox-under-test.ts";
import type { PubSubUnderTest } from "../../src/testing/contracts/pub-sub-under-test.ts";
import type { RedisInUse } from "./use-redis.ts";

/** An empty Redis for one test of the contract of `PubSubPort`. Its clock cannot be moved, so time passes by waiting. */
export async function emptyEventLog(redis: RedisInUse): Promise<PubSubUnderTest> {
  await redis.client.flushall();
  return {
    node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
      new RedisPubSub({ ...shared(redis), history: { size, ttlMs } }),
    elapse: (milliseconds) => Bun.sleep(milliseconds),
    loseEverything: async () => void (await redis.client.flushall()),
    writeNewerFormat: async (channel) =>
      void (await redis.client.hset(`telltale:{${channel}}`, "format", "9")),
    close: async () => {},
  };
}

/**
 * An empty Redis for one test of the contracts of all ports. Nodes connect as `target` says, `worker` publishes, and the
 * client of the tests does what only an operator may.
 */
export async function emptyBroker(
  redis: RedisInUse,
  target: RedisTarget,
  worker: Redis = redis.client,
): Promise<BrokerUnderTest> {
  const { elapse, loseEverything, writeNewerFormat, close } = await emptyEventLog(redis);
  const listen = new Set(["analysis", "user", "system"] as const);
  return {
    node: ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
      openRedisBroker({ ...shared(redis), target, history: { size, ttlMs }, waitReplicas: "seen", listen }),
    ...{ elapse, loseEverything, close },
    ...(writeNewerFormat && { writeNewerFormat }),
    publish: async (channel, payload) => void (await worker.publish(channel, payload)),
    add: async (fields) => String(await worker.xadd("telltale:inbox", "*", ...fields.flat())),
  };
}

/** An empty Redis for one test of the contract of `InboxPort`. */
export async function emptyInbox(redis: RedisInUse): Promise<InboxUnderTest> {
  await redis.client.flushall();
  return {
    node: () => inboxOn(redis),
    add: async (fields) => String(await redis.client.xadd("telltale:inbox", "*", ...fields.flat())),
    elapse: (milliseconds) => Bun.sleep(milliseconds),
    close: async () => {},
  };
}

export function inboxOn(redis: RedisInUse): RedisInbox {
  return new RedisInbox(shared(redis));
}

/** The options that all adapters on this Redis have in common. */
export function shared(redis: RedisInUse) {
  const target = { host: redis.host, port: redis.port, db: 0 };
  return { target, clock: new SystemClock(), telemetry: new CollectingTelemetry() };
}
