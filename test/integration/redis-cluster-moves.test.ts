import { describe, expect, test } from "bun:test";
import { needs } from "../support/needs.ts";
import { beginSlotMove, moveSlots } from "../support/slot-moves.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";

/** The findings of decision 014 that the adapter is built on: a Redis that answers otherwise would break it. */
describe.skipIf(!needs("redis-server"))("a Redis Cluster of three nodes", () => {
  const redis = useRedisCluster({ replicas: 1, proxiedBus: true });

  async function slotAndOthers(key: string) {
    const { cluster } = redis;
    const owner = await cluster.primaryOf(key);
    const [other, third] = cluster.nodes.slice(0, 3).filter((node) => node !== owner);
    if (other === undefined || third === undefined) throw new Error("there are no three primaries");
    return { slot: await cluster.slotOf(key), owner, other, third };
  }

  test("a script whose slot moves answers TRYAGAIN while one of its keys is elsewhere", async () => {
    const { slot, owner, other } = await slotAndOthers("{a}");
    await redis.client.mset("{a}x", "1", "{a}y", "1");
    const move = await beginSlotMove(redis.cluster, slot, other);
    await move.moveKeys(["{a}x"]);
    const read = () => owner.client.eval("return redis.call('MGET', KEYS[1], KEYS[2])", 2, "{a}x", "{a}y");
    expect(await read().catch((error: Error) => error.message)).toStartWith("TRYAGAIN");
    await move.undo();
    expect(await read()).toEqual(["1", "1"]);
  });

  test("a subscriber gets a sunsubscribe that it did not ask for when its slot has moved", async () => {
    const { slot, owner, other } = await slotAndOthers("{b}");
    const listening = owner.client.duplicate();
    redis.afterTest(() => listening.disconnect());
    await listening.ssubscribe("x:{b}");
    // So the client tells of a sunsubscribe that answers no command.
    const left = new Promise((resolve) => listening.once("moved", resolve));
    await moveSlots(redis.cluster, slot, other);
    await left;
    expect(await redis.cluster.primaryOf("{b}")).toBe(other);
    expect(String(await owner.client.call("PUBSUB", "SHARDNUMSUB", "x:{b}"))).toBe("x:{b},0");
  });

  test("a plain message passes every bus link but the one that is cut", async () => {
    const { owner, other, third } = await slotAndOthers("{c}");
    const listening = owner.client.duplicate();
    redis.afterTest(() => listening.disconnect());
    const heard: string[] = [];
    listening.on("message", (_: string, message: string) => heard.push(message));
    await listening.subscribe("plain");
    const mend = redis.cluster.cutBus(other, owner);
    await other.client.publish("plain", "lost");
    await third.client.publish("plain", "heard");
    while (!heard.includes("heard")) await Bun.sleep(5);
    mend();
    while (!heard.includes("again")) await other.client.publish("plain", "again");
    expect(heard).not.toContain("lost");
  });

  test("a replica takes over, on command and when its primary is killed", async () => {
    const { owner } = await slotAndOthers("{d}");
    const promoted = await redis.cluster.failover(owner);
    expect(await redis.cluster.primaryOf("{d}")).toBe(promoted);
    await redis.cluster.untilWhole();
    await promoted.kill9();
    await redis.cluster.untilAnotherThan(promoted);
    await promoted.restart();
    await redis.cluster.untilWhole();
    expect(await redis.cluster.primaryOf("{d}")).toBe(owner);
  });
});
