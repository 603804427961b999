import { describe } from "bun:test";
import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { cancelCopyRules } from "../support/cancel-copy-rules.ts";
import { needs } from "../support/needs.ts";
import { emptyEventLog } from "../support/redis-under-test.ts";
import { runningIndexRules } from "../support/running-index-rules.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { useRedis } from "../support/use-redis.ts";

describe.skipIf(!needs("redis-server"))("on a Redis server", () => {
  const redis = useRedis();

  pubSubContract("Redis", () => emptyEventLog(redis), {
    ...{ newerFormat: true, occurrences: true, entryIds: TIMED_IDS, entryKeys: true, endedCancels: true },
  });
  runningIndexRules(async () => [redis.nodes.make().running, redis.nodes.make().running]);
  cancelCopyRules(() => ({ node: async () => redis.nodes.make(), client: redis.client }));
});
