import type { RedisClusterNode } from "../support/redis-cluster-node.ts";
import { moveSlots } from "../support/slot-moves.ts";
import { StagedRedisCluster } from "../support/staged-redis-cluster.ts";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";

/** Faults of a Redis Cluster. Only HTTP waits for the replicas. */
export const clusterFaults: readonly FaultKind[] = [
  {
    name: "redis-cluster: slots of analyses and of the inbox move",
    stage: "redis-cluster",
    rounds: 20,
    strike: async (round) => {
      const { cluster } = clusterOf(round);
      const keys = ["telltale:inbox", ...round.analysisIds.map((id) => `telltale:{analysis:${id}}`)];
      for (const key of keys) {
        const owner = await cluster.primaryOf(key);
        const others = (await cluster.primaries()).filter((node) => node !== owner);
        await moveSlots(cluster, await cluster.slotOf(key), anyOf(round, others));
      }
      await round.recovers();
    },
  },
  {
    name: "redis-cluster: a replica takes over by hand",
    stage: "redis-cluster",
    rounds: 15,
    strike: async (round) => {
      const { cluster } = clusterOf(round);
      await cluster.failover(anyOf(round, await cluster.primaries()));
      await cluster.untilWhole();
      await round.recovers();
    },
  },
  failure("a primary killed, restarted with its data", async (round, primary) => {
    await primary.kill9();
    await clusterOf(round).cluster.untilAnotherThan(primary);
    await primary.restart();
  }),
  failure("a primary frozen until another is chosen", async (round, primary) => {
    primary.freeze();
    await clusterOf(round).cluster.untilAnotherThan(primary);
    primary.thaw();
  }),
];

/** An event that was acknowledged just before may not have reached the replica if nobody waits for it. */
const LAST_MOMENT_MS = 1_000;

/**
 * A primary fails, and its replica takes over. Only HTTP waits for the replica: the others may lose what the primary alone
 * had stored, until the replica has taken over, or until the primary has heard of it after it woke.
 */
function failure(
  name: string,
  strike: (round: Round, primary: RedisClusterNode) => Promise<void>,
): FaultKind {
  return {
    name: `redis-cluster: ${name}`,
    stage: "redis-cluster",
    rounds: 15,
    strike: async (round) => {
      const { cluster } = clusterOf(round);
      const from = performance.now() - LAST_MOMENT_MS;
      await strike(round, anyOf(round, await cluster.primaries()));
      await cluster.untilWhole();
      round.excuse({ from, to: performance.now(), lanes: ["bare", "inbox"], storedWasLost: true });
      await round.recovers();
    },
  };
}

function anyOf(round: Round, nodes: readonly RedisClusterNode[]): RedisClusterNode {
  return nodes[Math.floor(nodes.length * round.random())] as RedisClusterNode;
}

function clusterOf({ stage: { broker } }: Round): StagedRedisCluster {
  if (broker instanceof StagedRedisCluster) return broker;
  throw new Error("this is no stage of a Cluster");
}
