import type { ClusterTarget } from "../../src/adapters/redis/redis-connection.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import type { RedisClusterInUse } from "./use-redis-cluster.ts";

/** The options that all adapters on this Cluster have in common. They are told of one server, and find the others. */
export function sharedCluster({ servers }: RedisClusterInUse) {
  const target: ClusterTarget = { db: 0, cluster: { servers: servers.slice(0, 1) } };
  return { target, clock: new SystemClock(), telemetry: new CollectingTelemetry() };
}

/** An empty Cluster for one test of the contract of some port. */
export async function emptyCluster(redis: RedisClusterInUse) {
  await redis.cluster.flush();
  return {
    add: async (fields: readonly (readonly [string, string])[]) =>
      String(await redis.client.xadd("telltale:inbox", "*", ...fields.flat())),
    loseEverything: () => redis.cluster.flush(),
    writeNewerFormat: async (channel: string) =>
      void (await redis.client.hset(`telltale:{${channel}}`, "format", "9")),
    elapse: (milliseconds: number) => Bun.sleep(milliseconds),
    close: async () => {},
  };
}
