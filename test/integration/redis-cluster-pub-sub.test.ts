import { describe, setDefaultTimeout } from "bun:test";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { cancelCopyRules } from "../support/cancel-copy-rules.ts";
import { emptyCluster, sharedCluster } from "../support/cluster-under-test.ts";
import { needs } from "../support/needs.ts";
import { runningIndexRules } from "../support/running-index-rules.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";

setDefaultTimeout(20_000);

describe.skipIf(!needs("redis-server"))("events on a Cluster of three primaries", () => {
  const redis = useRedisCluster();

  pubSubContract(
    "a Redis Cluster",
    async () => ({
      ...(await emptyCluster(redis)),
      node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
        new RedisPubSub({ ...sharedCluster(redis), history: { size, ttlMs } }),
    }),
    { newerFormat: true, occurrences: true, entryIds: TIMED_IDS, entryKeys: true, endedCancels: true },
  );
  const node = async () => {
    const node = new RedisPubSub({ ...sharedCluster(redis), history: { size: 1_000, ttlMs: 86_400_000 } });
    redis.afterTest(() => node.close());
    return node;
  };
  cancelCopyRules(() => ({ node, client: redis.client }));
  runningIndexRules(async () => [(await node()).running, (await node()).running]);
});
