import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { ClusterWorkerChannels } from "../../src/adapters/redis/cluster-worker-channels.ts";
import { RedisServers } from "../../src/adapters/redis/redis-servers.ts";
import type { SlotOwners } from "../../src/adapters/redis/slot-owners.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import type { BareMessage } from "../../src/application/ports/worker-channel-port.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { workerChannelContract } from "../../src/testing/contracts/worker-channel-contract.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import type { RedisClusterNode } from "../support/redis-cluster-node.ts";
import { runOf } from "../support/telltale-run.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";

describe.skipIf(!needs("redis-server"))("workers on a Redis Cluster of three nodes", () => {
  const redis = useRedisCluster({ replicas: 1, proxiedBus: true });

  function node(): ClusterWorkerChannels {
    return opened().channels;
  }

  function opened(): { readonly channels: ClusterWorkerChannels; readonly owners: SlotOwners } {
    const [clock, telemetry] = [new SystemClock(), new CollectingTelemetry()];
    const target = { cluster: { servers: redis.servers }, db: 0 };
    const servers = new RedisServers({ target, clock, telemetry });
    const listen = new Set(["analysis", "user", "system"] as const);
    const channels = new ClusterWorkerChannels({ servers, listen, clock, telemetry });
    return { channels, owners: servers.owners };
  }

  async function listening() {
    const { channels, owners } = opened();
    redis.afterTest(() => channels.close());
    const heard: BareMessage[] = [];
    await channels.listen((message) => void heard.push(message));
    return { heard, channels, owners };
  }

  /** The servers at which a node listens, if only one node does. */
  async function listenedAt(): Promise<readonly RedisClusterNode[]> {
    const running = redis.cluster.nodes.filter(({ isRunning }) => isRunning);
    const counts = await Promise.all(running.map(({ client }) => client.pubsub("NUMPAT")));
    return running.filter((_, at) => Number(counts[at]) > 0);
  }

  async function untilListenedAt(wanted: (places: readonly RedisClusterNode[]) => boolean): Promise<void> {
    await eventually("it listens at two primaries", async () => {
      const [places, primaries] = [await listenedAt(), await redis.cluster.primaries()];
      return places.length === 2 && places.every((place) => primaries.includes(place)) && wanted(places);
    });
  }

  /** A worker publishes at this server until `done` has resolved. The node heard each message once, in order. */
  async function hearsAll(
    { channels, heard }: Awaited<ReturnType<typeof listening>>,
    at: RedisClusterNode,
    done: Promise<void>,
  ): Promise<void> {
    const worker = { isDone: false };
    void done.finally(() => {
      worker.isDone = true;
    });
    let sent = 0;
    // A server may pass on messages of an earlier test late.
    const name = `analysis:${crypto.randomUUID()}`;
    while (!worker.isDone) {
      await at.client.publish(name, `${sent++}`);
      await Bun.sleep(1);
    }
    await done;
    await channels.stopListening();
    const its = heard.filter(({ channel }) => channel === name);
    expect(its.map(({ payload }) => Number(payload))).toEqual([...Array(sent).keys()]);
  }

  workerChannelContract(
    "a Redis Cluster",
    async () => ({
      node: async () => node(),
      publish: async (channel, payload) =>
        void (await (redis.cluster.nodes[0] as RedisClusterNode).client.publish(channel, payload)),
      elapse: (milliseconds) => Bun.sleep(milliseconds),
      close: async () => {},
    }),
    { oneOrder: false },
  );

  test("WC-1: a node hears what workers publish at any primary, those of one primary in order", async () => {
    const { heard, channels } = await listening();
    const primaries = redis.cluster.nodes.slice(0, 3);
    for (let n = 0; n < 100; n++) {
      await Promise.all(primaries.map(({ client }, at) => client.publish(`analysis:${at}`, `${n}`)));
    }
    await channels.stopListening();
    expect(heard).toHaveLength(300);
    for (const at of primaries.keys()) {
      const its = heard.filter(({ channel }) => channel === `analysis:${at}`);
      expect(its.map(({ payload }) => Number(payload))).toEqual([...Array(100).keys()]);
    }
  });

  test("WC-1: a node hears each message once, in order, while one of its places does not hear another primary", async () => {
    const node = await listening();
    await untilListenedAt(() => true);
    const places = await listenedAt();
    const [mute] = redis.cluster.nodes.slice(0, 3).filter((one) => !places.includes(one)) as [
      RedisClusterNode,
    ];
    const [broken] = places as [RedisClusterNode];
    const mend = redis.cluster.cutBus(mute, broken);
    await hearsAll(
      node,
      mute,
      untilListenedAt((now) => !now.includes(broken)),
    );
    mend();
    await redis.cluster.untilWhole();
  });

  test("WC-1: a node hears each message once, in order, while a replica takes over from one of its places", async () => {
    const node = await listening();
    await untilListenedAt(() => true);
    const [before, other] = (await listenedAt()) as [RedisClusterNode, RedisClusterNode];
    const moved = async () => {
      await redis.cluster.failover(before);
      node.owners.lookAgain();
      await untilListenedAt((now) => !now.includes(before));
    };
    await hearsAll(node, other, moved());
    await redis.cluster.untilWhole();
  });

  test("WC-1: a node hears each message once, in order, while one of its places is killed", async () => {
    const node = await listening();
    await untilListenedAt(() => true);
    const [before, other] = (await listenedAt()) as [RedisClusterNode, RedisClusterNode];
    const moved = async () => {
      await before.kill9();
      await untilListenedAt((now) => !now.includes(before));
    };
    await hearsAll(node, other, moved());
    await redis.cluster.untilAnotherThan(before);
    await before.restart();
    await redis.cluster.untilWhole();
  }, 60_000);

  test("RUN-2: `telltale run` publishes through the inbox of the Cluster, and hears there of a cancel", async () => {
    const id = crypto.randomUUID();
    await redis.client.set(`telltale:cancel:${id}`, "{}");
    const run = runOf(tmpdir(), { TELLTALE_URL: redis.cluster.url }, [
      "--analysis",
      id,
      "--",
      "sleep",
      "600",
    ]);
    expect(await run.exited).toBe(143);
    const entries = await redis.client.xrange("telltale:inbox", "-", "+");
    const events = entries.map(([, [, event]]) => JSON.parse(event ?? ""));
    expect(events).toMatchObject([{ progress: 0 }, { current_stage: "cancelled" }]);
    expect(await redis.client.exists(`telltale:cancel:${id}`)).toBe(0);
  });
});
