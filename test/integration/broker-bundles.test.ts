import { describe, setDefaultTimeout } from "bun:test";
import { openNatsBroker } from "../../src/adapters/nats/nats-broker.ts";
import { openRedisBroker } from "../../src/adapters/redis/redis-broker.ts";
import { bundleContract } from "../../src/testing/contracts/bundle-contract.ts";
import { emptyCluster, sharedCluster } from "../support/cluster-under-test.ts";
import { emptyNatsInbox, emptyNatsLog, STREAM_IDS, sharedNats } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { emptyEventLog, emptyInbox, shared } from "../support/redis-under-test.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { useNats } from "../support/use-nats.ts";
import { useRedis } from "../support/use-redis.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";

setDefaultTimeout(20_000);

const LISTEN = new Set(["analysis", "user", "system"] as const);
const HISTORY = { size: 1_000, ttlMs: 86_400_000 };

describe.skipIf(!needs("redis-server"))("the ports of one Redis", () => {
  const redis = useRedis();

  bundleContract(
    "Redis",
    async () => ({
      ...(await emptyInbox(redis)),
      ...(await emptyEventLog(redis)),
      node: (history = {}) =>
        openRedisBroker({
          ...shared(redis),
          history: { ...HISTORY, ...history },
          waitReplicas: 0,
          listen: LISTEN,
        }),
      publish: async (channel, payload) => void (await redis.client.publish(channel, payload)),
    }),
    {
      capabilities: ["dead_letters", "inbox", "worker_channels", "durability:memory", "replicas:0"],
      newerFormat: true,
      inbox: { keys: true, entryIds: TIMED_IDS },
    },
  );
});

describe.skipIf(!needs("redis-server"))("the ports of one Redis Cluster", () => {
  const redis = useRedisCluster();

  bundleContract(
    "a Redis Cluster",
    async () => ({
      ...(await emptyCluster(redis)),
      node: (history = {}) =>
        openRedisBroker({
          ...sharedCluster(redis),
          history: { ...HISTORY, ...history },
          waitReplicas: 0,
          listen: LISTEN,
        }),
      publish: async (channel, payload) => void (await redis.client.publish(channel, payload)),
    }),
    {
      capabilities: ["dead_letters", "inbox", "worker_channels", "durability:memory", "replicas:0"],
      newerFormat: true,
      inbox: { keys: true, entryIds: TIMED_IDS },
    },
  );
});

describe.skipIf(!needs("nats-server"))("the ports of one NATS", () => {
  const nats = useNats({ config: "max_payload: 8MB" });

  bundleContract(
    "NATS",
    async () => ({
      ...(await emptyNatsLog(nats)),
      ...(await emptyNatsInbox(nats)),
      node: (history = {}) =>
        openNatsBroker({ ...sharedNats(nats), history: { ...HISTORY, ...history }, listen: LISTEN }),
      restart: async () => {
        await nats.kill9();
        await nats.restart();
      },
    }),
    {
      capabilities: [
        "dead_letters",
        "inbox",
        "worker_channels",
        "worker_channels_kept",
        "durability:disk",
        "replicas:0",
      ],
      newerFormat: true,
      inbox: { fields: false, channels: true, entryIds: STREAM_IDS },
    },
  );
});
