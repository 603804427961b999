import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { RedisDeadLetters } from "../../src/adapters/redis/redis-dead-letters.ts";
import { RedisInbox } from "../../src/adapters/redis/redis-inbox.ts";
import { RedisSelfCheck } from "../../src/adapters/redis/redis-self-check.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import { deadLetterContract } from "../../src/testing/contracts/dead-letter-contract.ts";
import { inboxContract } from "../../src/testing/contracts/inbox-contract.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { emptyCluster, sharedCluster } from "../support/cluster-under-test.ts";
import { needs } from "../support/needs.ts";
import { beginSlotMove, moveSlots } from "../support/slot-moves.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";

setDefaultTimeout(20_000);

describe.skipIf(!needs("redis-server"))(
  "the inbox and the dead letters on a Cluster of three primaries",
  () => {
    const redis = useRedisCluster();
    const another = async (key: string) => {
      const owner = await redis.cluster.primaryOf(key);
      const [other] = redis.cluster.nodes.filter((node) => node !== owner);
      if (other === undefined) throw new Error("the Cluster has one node");
      return other;
    };
    const inboxOn = () => {
      const inbox = new RedisInbox(sharedCluster(redis));
      redis.afterTest(() => inbox.close());
      return inbox;
    };

    inboxContract("a Redis Cluster", async () => ({
      ...(await emptyCluster(redis)),
      node: () => new RedisInbox(sharedCluster(redis)),
    }));

    deadLetterContract("a Redis Cluster", async () => ({
      ...(await emptyCluster(redis)),
      node: () => new RedisDeadLetters(sharedCluster(redis)),
    }));

    test("a taker goes on at the new owner after the slot of the inbox has moved", async () => {
      const { add } = await emptyCluster(redis);
      const inbox = inboxOn();
      const first = await add([["event", "{}"]]);
      expect(await inbox.take()).toMatchObject({ entries: [{ id: first }] });
      await moveSlots(
        redis.cluster,
        await redis.cluster.slotOf("telltale:inbox"),
        await another("telltale:inbox"),
      );
      await inbox.remove([first]);
      const second = await add([["event", "{}"]]);
      await inbox.arrival();
      expect(await inbox.take()).toMatchObject({ entries: [{ id: second }] });
      expect(await inbox.backlog()).toMatchObject({ entries: 1 });
    });

    test("while the slot of the inbox moves it is refused or whole, and nothing is lost", async () => {
      const { add } = await emptyCluster(redis);
      const inbox = inboxOn();
      const id = await add([["event", "{}"]]);
      await inbox.take();
      const move = await beginSlotMove(
        redis.cluster,
        await redis.cluster.slotOf("telltale:inbox"),
        await another("telltale:inbox"),
      );
      await move.moveKeys(["telltale:inbox"]);
      expect(await inbox.take().catch((error) => error)).toBeInstanceOf(BrokerUnavailable);
      expect(await inbox.remove([id]).catch((error) => error)).toBeInstanceOf(BrokerUnavailable);
      await move.finish();
      expect(await inbox.take()).toMatchObject({ entries: [{ id }] });
    });

    test("dead letters are kept and read at the new owner after their slot has moved", async () => {
      await emptyCluster(redis);
      const deadLetters = new RedisDeadLetters(sharedCluster(redis));
      redis.afterTest(() => deadLetters.close());
      const one = { channel: "analysis:x", payload: "one", reason: "not_json" };
      await deadLetters.keep(one);
      expect(await Array.fromAsync(deadLetters.read("oldest"))).toHaveLength(1);
      const key = "telltale:deadletters";
      await moveSlots(redis.cluster, await redis.cluster.slotOf(key), await another(key));
      await deadLetters.keep(one);
      await deadLetters.keep({ ...one, payload: "two" });
      expect((await Array.fromAsync(deadLetters.read("oldest"))).map(({ payload }) => payload)).toEqual([
        "one",
        "two",
      ]);
    });
  },
);

describe.skipIf(!needs("redis-server"))("telltale check on a Cluster of three primaries", () => {
  const redis = useRedisCluster();

  async function findings(user: { readonly username?: string; readonly password?: string } = {}) {
    const { target, clock } = sharedCluster(redis);
    const listen = new Set(["analysis", "user", "system"] as const);
    const check = new RedisSelfCheck({ target: { ...target, ...user }, waitReplicas: "seen", listen, clock });
    redis.afterTest(() => check.close());
    const found: Record<string, unknown> = {};
    for (const part of check.parts) {
      const finding = await part.try();
      found[part.name] = finding.works || finding.reason;
    }
    return { servers: check.servers, version: await check.version(), found };
  }

  test("OPS-15: every part works at every primary, and nothing is left behind", async () => {
    await redis.cluster.flush();
    const { servers, version, found } = await findings();
    expect(servers).toHaveLength(1);
    expect(version).toMatch(/^\d+\./);
    const parts = [
      "slots",
      "append",
      "history",
      "subscribe",
      "worker channels",
      "inbox",
      "dead letters",
      "replicas",
    ];
    expect(found).toEqual(Object.fromEntries(parts.map((part) => [part, true])));
    // It held the lease of the inbox for a millisecond.
    await eventually("nothing is left", async () => {
      const sizes = await Promise.all(redis.cluster.nodes.map(({ client }) => client.dbsize()));
      return sizes.every((size) => size === 0);
    });
  });

  test("OPS-15: a permission that is missing at one primary is named with that primary", async () => {
    const [, second, third] = redis.cluster.nodes;
    const rules = ["on", ">a-password", "~*", "&*", "+@all"];
    for (const { client } of redis.cluster.nodes) await client.call("ACL", "SETUSER", "gateway", ...rules);
    await second?.client.call("ACL", "SETUSER", "gateway", "-spublish");
    await third?.client.call("ACL", "SETUSER", "gateway", "-xread");
    const { found } = await findings({ username: "gateway", password: "a-password" });
    const lacks = (command: string, at = second) =>
      `the gateway's user lacks a permission: ${command}, at ${at?.host}:${at?.port}`;
    const inbox = await redis.cluster.primaryOf("telltale:inbox");
    expect(found).toMatchObject({
      ...{ slots: true, append: lacks("SPUBLISH"), history: true },
      inbox: inbox === third ? lacks("XREAD", third) : true,
    });
  });
});
