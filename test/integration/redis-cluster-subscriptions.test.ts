import { describe, expect, test } from "bun:test";
import { tagIn } from "../../src/adapters/redis/cluster-slots.ts";
import { RedisCommands } from "../../src/adapters/redis/redis-commands.ts";
import { publishedOn } from "../../src/adapters/redis/redis-keys.ts";
import { RedisServers } from "../../src/adapters/redis/redis-servers.ts";
import { RedisSubscriptions } from "../../src/adapters/redis/redis-subscriptions.ts";
import { VIEWERS_FLAG } from "../../src/adapters/redis/stored-format.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import type { RedisClusterNode } from "../support/redis-cluster-node.ts";
import { moveSlots } from "../support/slot-moves.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";

describe.skipIf(!needs("redis-server"))("subscriptions on a Redis Cluster of three nodes", () => {
  const redis = useRedisCluster({ replicas: 1 });

  /** A node that listens, as `RedisPubSub` puts it together. */
  async function listening(): Promise<{ subscriptions: RedisSubscriptions; telemetry: CollectingTelemetry }> {
    const [clock, telemetry] = [new SystemClock(), new CollectingTelemetry()];
    const target = { cluster: { servers: redis.servers }, db: 0 };
    const servers = new RedisServers({ target, clock, telemetry });
    const commands = servers.each(
      (primary) =>
        new RedisCommands({
          ...{ target: primary.target, ownChannels: primary.ownChannels, purpose: "commands" },
          ...{ links: servers.linksOf(primary), clock, telemetry },
        }),
    );
    const subscriptions = new RedisSubscriptions({
      ...{ servers, db: 0, clock, telemetry },
      commandsAt: (primary) => commands.of(primary),
    });
    redis.afterTest(() => {
      subscriptions.close();
      commands.close();
    });
    await servers.owners.started;
    return { subscriptions, telemetry };
  }

  /** Channels with a subscriber each. */
  async function subscribed(count: number, { subscriptions }: { subscriptions: RedisSubscriptions }) {
    return Promise.all(
      Array.from({ length: count }, async () => {
        const channel = publishedOn(someAnalysis(), 0);
        const subscriber = new CollectingSubscriber();
        return { channel, subscriber, subscription: await subscriptions.subscribe(channel, subscriber) };
      }),
    );
  }

  /** Publishes at the owner of the channel until the subscriber hears it: how often does not matter. */
  async function hears({ channel, subscriber }: { channel: string; subscriber: CollectingSubscriber }) {
    const name = crypto.randomUUID();
    const isHeard = () => subscriber.viewers.some((viewers) => viewers !== "*" && viewers.has(name));
    await eventually(`${channel} is heard`, async () => {
      await redis.client.spublish(channel, `${VIEWERS_FLAG}["${name}"]`);
      return isHeard();
    });
  }

  /** The sharded channels that a server delivers to somebody. */
  async function channelsAt({ client }: RedisClusterNode): Promise<string[]> {
    return (await client.call("PUBSUB", "SHARDCHANNELS", "telltale:0:*analysis:*")) as string[];
  }

  test("PS-8: each channel is subscribed to at the owner of its slot, and none is left after the last subscriber", async () => {
    const node = await listening();
    const watched = await subscribed(500, node);
    await Promise.all(watched.map(hears));
    const [primaries, replicas] = [redis.cluster.nodes.slice(0, 3), redis.cluster.nodes.slice(3)];
    const heardAt = await Promise.all(primaries.map(channelsAt));
    expect(heardAt.flat().sort()).toEqual(watched.map(({ channel }) => channel).sort());
    expect(heardAt.every((channels) => channels.length > 0)).toBe(true);
    await Promise.all(watched.map(({ subscription }) => subscription.unsubscribe()));
    expect((await Promise.all([...primaries, ...replicas].map(channelsAt))).flat()).toEqual([]);
    expect(watched.every(({ subscriber }) => subscriber.restored === 0)).toBe(true);
  });

  test("a subscriber whose slot moves is told when it hears again, and no other is", async () => {
    const node = await listening();
    const watched = await subscribed(100, node);
    const [mover, ...others] = watched;
    if (mover === undefined) throw new Error("nothing is watched");
    const from = await redis.cluster.primaryOf(mover.channel);
    const to = redis.cluster.nodes.slice(0, 3).find((one) => one !== from) as RedisClusterNode;
    const slot = await redis.cluster.slotOf(mover.channel);
    await moveSlots(redis.cluster, slot, to);
    await mover.subscriber.until(({ restored }) => restored === 1);
    expect(await channelsAt(to)).toContain(mover.channel);
    expect(await channelsAt(from)).not.toContain(mover.channel);
    await Promise.all(watched.map(hears));
    await moveSlots(redis.cluster, slot, from);
    await mover.subscriber.until(({ restored }) => restored === 2);
    await Promise.all(watched.map(hears));
    const slots = await Promise.all(others.map(({ channel }) => redis.cluster.slotOf(channel)));
    for (const [at, { subscriber }] of others.entries()) {
      expect(subscriber.restored).toBe(slots[at] === slot ? 2 : 0);
    }
    expect(mover.subscriber.restored).toBe(2);
    expect(node.subscriptions.away).toBeUndefined();
  });

  test("hundreds of slots move with their subscribers, and the connections remain", async () => {
    const node = await listening();
    const watched = await subscribed(200, node);
    await Promise.all(watched.map(hears));
    const [one, two] = redis.cluster.nodes as readonly [RedisClusterNode, RedisClusterNode];
    await moveSlots(redis.cluster, [0, 600], two);
    await Promise.all(watched.map(hears));
    await moveSlots(redis.cluster, [0, 600], one);
    await Promise.all(watched.map(hears));
    for (const { channel, subscriber } of watched) {
      expect(subscriber.restored).toBe((await redis.cluster.slotOf(channel)) <= 600 ? 2 : 0);
    }
    expect(node.telemetry.counts.get("broker_links_lost") ?? 0).toBe(0);
    expect(node.telemetry.counts.get("deaf_connections") ?? 0).toBe(0);
    await Promise.all(watched.map(({ subscription }) => subscription.unsubscribe()));
    expect((await Promise.all(redis.cluster.nodes.map(channelsAt))).flat()).toEqual([]);
  });

  test("channels that come and go while their slots move are heard, and none is left", async () => {
    const node = await listening();
    const [one, two] = redis.cluster.nodes as readonly [RedisClusterNode, RedisClusterNode];
    const tags = [...Array(40).keys()].map((slot) => tagIn([[slot, slot]], (random) => random));
    const channels = tags.flatMap((tag) => [1, 2, 3].map((at) => `telltale:0:{${tag}}:analysis:${at}`));
    let moves = true;
    const come = channels.map(async (channel) => {
      while (moves) {
        const subscription = await node.subscriptions.subscribe(channel, new CollectingSubscriber());
        await subscription.unsubscribe();
      }
    });
    for (const to of [two, one, two, one]) await moveSlots(redis.cluster, [0, 39], to);
    moves = false;
    await Promise.all(come);
    expect(node.telemetry.counts.get("broker_links_lost") ?? 0).toBe(0);
    const watched = await Promise.all(
      channels.map(async (channel) => {
        const subscriber = new CollectingSubscriber();
        return { channel, subscriber, subscription: await node.subscriptions.subscribe(channel, subscriber) };
      }),
    );
    await Promise.all(watched.map(hears));
    await Promise.all(watched.map(({ subscription }) => subscription.unsubscribe()));
    expect((await Promise.all(redis.cluster.nodes.map(channelsAt))).flat()).toEqual([]);
  });

  test("after a failover the subscribers of that shard hear at the new primary", async () => {
    const node = await listening();
    const watched = await subscribed(60, node);
    const [{ channel }] = watched as [(typeof watched)[0]];
    const before = await redis.cluster.primaryOf(channel);
    const homes = await Promise.all(watched.map((one) => redis.cluster.primaryOf(one.channel)));
    await redis.cluster.failover(before);
    await Promise.all(watched.map(hears));
    for (const [at, { subscriber }] of watched.entries()) {
      if (homes[at] === before) await subscriber.until(({ restored }) => restored > 0);
      else expect(subscriber.restored).toBe(0);
    }
    await redis.cluster.untilWhole();
    const promoted = await redis.cluster.primaryOf(channel);
    await promoted.kill9();
    await redis.cluster.untilAnotherThan(promoted);
    await Promise.all(watched.map(hears));
    await promoted.restart();
    await redis.cluster.untilWhole();
    await Promise.all(watched.map(hears));
  }, 60_000);
});
