import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { slotOf } from "../../src/adapters/redis/cluster-slots.ts";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { sharedCluster } from "../support/cluster-under-test.ts";
import { needs } from "../support/needs.ts";
import type { RedisClusterNode } from "../support/redis-cluster-node.ts";
import { beginSlotMove, moveSlots } from "../support/slot-moves.ts";
import { type RedisClusterInUse, useRedisCluster } from "../support/use-redis-cluster.ts";

setDefaultTimeout(40_000);

const KEY = { by: "key", scope: "channel", name: "k", windowMs: 300_000, rememberMs: 300_000 } as const;

async function nodeOn(redis: RedisClusterInUse, telemetry = new CollectingTelemetry()): Promise<RedisPubSub> {
  const node = new RedisPubSub({ ...sharedCluster(redis), telemetry, history: { size: 100, ttlMs: 60_000 } });
  redis.afterTest(() => node.close());
  await eventually("it is ready", async () => isReady(node));
  return node;
}

function isReady(node: RedisPubSub): boolean {
  const health = node.health();
  return health.status === "up" && health.refuses === undefined;
}

const recordOf = (channel: AnalysisChannel) => `telltale:{${channel}}`;

/** A channel whose slot this server owns. */
async function channelAt(redis: RedisClusterInUse, owner: RedisClusterNode): Promise<AnalysisChannel> {
  for (;;) {
    const channel = someAnalysis();
    if ((await redis.cluster.primaryOf(recordOf(channel))) === owner) return channel;
  }
}

describe.skipIf(!needs("redis-server"))("events on a Cluster whose slots move", () => {
  const redis = useRedisCluster();

  async function elsewhere(channel: AnalysisChannel): Promise<RedisClusterNode> {
    const owner = await redis.cluster.primaryOf(recordOf(channel));
    const other = redis.cluster.nodes.find((node) => node !== owner);
    if (other === undefined) throw new Error("the Cluster has one node");
    return other;
  }

  test("PS-27 the positions of many channels cost a call for each primary, and are right while and after a slot moves", async () => {
    const node = await nodeOn(redis);
    const moved = someAnalysis();
    const slot = slotOf(recordOf(moved));
    const others = Array.from({ length: 300 }, someAnalysis).filter((one) => slotOf(recordOf(one)) !== slot);
    const channels = [moved, ...others];
    const stored = await node.append({ channel: moved, events: [status(), status()] });
    const calls = async () => {
      const all = await Promise.all(redis.cluster.nodes.map(({ client }) => client.info("commandstats")));
      return all.reduce((sum, info) => sum + Number(/cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1] ?? 0), 0);
    };
    const before = await calls();
    const positions = await node.positions(channels);
    // The trials of the node count as well.
    expect((await calls()) - before).toBeLessThan(100);
    const { epoch } = stored as { epoch: string };
    expect(positions[0]).toMatchObject({ epoch, offset: 2 });
    expect(positions).toHaveLength(channels.length);
    const move = await beginSlotMove(redis.cluster, slot, await elsewhere(moved));
    await move.moveKeys();
    const [onItsWay, ...stay] = await node.positions(channels);
    expect([onItsWay, ...stay]).toEqual([undefined, ...positions.slice(1)]);
    await move.finish();
    const after = await node.positions(channels);
    expect(after[0]).toMatchObject({ epoch, offset: 2 });
    expect(after[0]?.lineage).not.toBe(positions[0]?.lineage);
    expect(after.slice(1)).toEqual(positions.slice(1));
  });

  test("new channels are of the second format, whose deduplication keys are declared", async () => {
    const node = await nodeOn(redis);
    const channel = someAnalysis();
    await node.append({ channel, events: [status()], deduplicate: KEY });
    expect(await redis.client.hget(recordOf(channel), "format")).toBe("2");
  });

  test("an append after a move goes on at the new owner, in a new epoch, and a repeated request is known there", async () => {
    const node = await nodeOn(redis);
    const channel = someAnalysis();
    const stored = await node.append({ channel, events: [status()], deduplicate: KEY });
    await moveSlots(redis.cluster, slotOf(recordOf(channel)), await elsewhere(channel));
    expect(await node.append({ channel, events: [status()], deduplicate: KEY })).toEqual({
      ...(stored as Extract<typeof stored, { type: "stored" }>),
      type: "duplicate",
    });
    const later = await node.append({ channel, events: [status()] });
    expect(later).toMatchObject({ type: "stored", firstOffset: 2 });
    expect(later).not.toMatchObject({ epoch: (stored as { epoch: string }).epoch });
    const from = { epoch: (stored as { epoch: string }).epoch, offset: 1 };
    expect(await node.history(channel, from, 10)).toMatchObject({ resumed: true, events: [{}] });
    expect(await node.positions([channel])).toMatchObject([{ offset: 2 }]);
    expect(isReady(node)).toBe(true);
  });

  test("reads and lists of viewers follow a slot that has moved", async () => {
    const node = await nodeOn(redis);
    const channel = someAnalysis();
    await node.append({ channel, events: [status()] });
    await node.declareViewers(channel, new Set(["alice"]));
    const slot = slotOf(recordOf(channel));
    await moveSlots(redis.cluster, slot, await elsewhere(channel));
    expect(await node.viewers(channel)).toEqual(new Set(["alice"]));
    await moveSlots(redis.cluster, slot, await elsewhere(channel));
    await node.declareViewers(channel, new Set(["bob"]));
    expect((await node.snapshot(channel)).viewers).toEqual(new Set(["bob"]));
  });

  test("PS-9 while a slot moves, whatever keys have gone already, a repeated request is refused or known, and never stored twice", async () => {
    const node = await nodeOn(redis);
    const channel = someAnalysis();
    const record = recordOf(channel);
    const stored = await node.append({ channel, events: [status()], deduplicate: KEY });
    await node.declareViewers(channel, new Set(["alice"]));
    const keys = [record, `${record}:history`, `${record}:viewers`, ...(await seenOf(channel))];
    expect(keys).toHaveLength(4);
    const to = await elsewhere(channel);
    // Each key goes first once: the others are there, and one is missing.
    for (const gone of keys) {
      const move = await beginSlotMove(redis.cluster, slotOf(record), to);
      await move.moveKeys([gone]);
      const answer = await node
        .append({ channel, events: [status()], deduplicate: KEY })
        .catch((error: unknown) => error);
      expect([gone, answer]).toEqual([gone, expect.any(BrokerUnavailable)]);
      await move.undo();
    }
    expect(await node.append({ channel, events: [status()], deduplicate: KEY })).toMatchObject({
      type: "duplicate",
      epoch: (stored as { epoch: string }).epoch,
    });
    expect((await node.history(channel, undefined, 10)).events).toHaveLength(1);
    expect(isReady(node)).toBe(true);
  });

  test("RDY-1: if the slot of a trial moves, the trial is made in another one", async () => {
    const [from, to] = redis.cluster.nodes as readonly [RedisClusterNode, RedisClusterNode];
    const seen = await from.client.monitor();
    redis.afterTest(() => seen.disconnect());
    const tried: number[] = [];
    seen.on("monitor", (_time: string, words: readonly string[]) => {
      const key = words.find((word) => word.startsWith("telltale:{try:"));
      if (key !== undefined) tried.push(slotOf(key));
    });
    const node = await nodeOn(redis);
    const [first = 0] = tried;
    const move = await beginSlotMove(redis.cluster, first, to);
    await eventually("another slot is tried", async () => tried.some((slot) => slot !== first));
    expect(isReady(node)).toBe(true);
    await move.undo();
  });

  async function seenOf(channel: AnalysisChannel): Promise<string[]> {
    const owner = await redis.cluster.primaryOf(recordOf(channel));
    return owner.client.keys(`${recordOf(channel)}:seen:*`);
  }
});

describe.skipIf(!needs("redis-server"))("events on a Cluster whose primaries fail", () => {
  const redis = useRedisCluster({ replicas: 1 });

  const outages = (telemetry: CollectingTelemetry) =>
    telemetry.logs.filter(({ message }) => message.startsWith("the broker is")).map(({ message }) => message);

  test("PS-32 each primary waits for a replica of its own", async () => {
    const node = await nodeOn(redis);
    await eventually("replicas were seen", async () => node.durability.replicas === 1);
    for (const owner of redis.cluster.nodes.slice(0, 3)) {
      const channel = await channelAt(redis, owner);
      expect(await node.append({ channel, events: [status()] })).toMatchObject({ type: "stored" });
      const replica = await redis.cluster.replicaOf(owner);
      await replica.client.call("READONLY");
      expect(await replica.client.hget(recordOf(channel), "offset")).toBe("1");
    }
  });

  test("RDY-3: a failover that an operator asks for loses nothing, and is followed within the deadline of an append", async () => {
    const node = await nodeOn(redis);
    const primary = await redis.cluster.primaryOf(recordOf(someAnalysis()));
    const channel = await channelAt(redis, primary);
    await node.append({ channel, events: [status()] });
    await redis.cluster.failover(primary);
    expect(await node.append({ channel, events: [status()] })).toMatchObject({
      type: "stored",
      firstOffset: 2,
    });
    await eventually("it is ready", async () => isReady(node));
  });

  test("RDY-6: a killed primary is one outage; the others serve meanwhile, and its slots are served by its replica", async () => {
    await redis.cluster.untilWhole();
    const telemetry = new CollectingTelemetry();
    const node = await nodeOn(redis, telemetry);
    const primary = await redis.cluster.primaryOf(recordOf(someAnalysis()));
    const [lost, kept] = [await channelAt(redis, primary), await someChannelNotAt(primary)];
    await node.append({ channel: lost, events: [status()] });
    await primary.kill9();
    await eventually("it is noticed", async () => !isReady(node));
    const refused = await node.append({ channel: lost, events: [status()] }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BrokerUnavailable);
    expect([node.health(lost).status, node.health(kept).status]).toEqual(["down", "up"]);
    expect(await node.append({ channel: kept, events: [status()] })).toMatchObject({ type: "stored" });
    await eventually("it is ready", async () => isReady(node));
    expect(await node.append({ channel: lost, events: [status()] })).toMatchObject({ firstOffset: 2 });
    await eventually("the end is told", async () => outages(telemetry).includes("the broker is back"));
    // A slow machine may give it another cause meanwhile, which is told too.
    const told = outages(telemetry).filter((message) => message !== "the broker is still away");
    expect(told).toEqual(["the broker is away", "the broker is back"]);
    await primary.restart();
    await redis.cluster.untilWhole();
  });

  async function someChannelNotAt(primary: RedisClusterNode): Promise<AnalysisChannel> {
    for (;;) {
      const channel = someAnalysis();
      if ((await redis.cluster.primaryOf(recordOf(channel))) !== primary) return channel;
    }
  }
});
