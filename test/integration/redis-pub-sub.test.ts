import { describe } from "bun:test";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { needs } from "../support/needs.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { useRedis } from "../support/use-redis.ts";

describe.skipIf(!needs("redis-server"))("on a Redis server", () => {
  const redis = useRedis();

  pubSubContract(
    "Redis",
    async () => {
      await redis.client.flushall();
      return {
        node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
          new RedisPubSub({
            target: { host: redis.host, port: redis.port, db: 0 },
            history: { size, ttlMs },
            clock: new SystemClock(),
            telemetry: new CollectingTelemetry(),
          }),
        // The broker's clock cannot be moved from outside.
        elapse: (milliseconds) => Bun.sleep(milliseconds),
        loseEverything: async () => void (await redis.client.flushall()),
        writeNewerFormat: async (channel) =>
          void (await redis.client.hset(`telltale:{${channel}}`, "format", "2")),
        close: async () => {},
      };
    },
    { newerFormat: true, occurrences: true, entryIds: TIMED_IDS },
  );
});
