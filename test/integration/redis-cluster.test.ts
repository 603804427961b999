import { describe, expect, test } from "bun:test";
import { RedisDeadLetters } from "../../src/adapters/redis/redis-dead-letters.ts";
import { RedisWorkerChannels } from "../../src/adapters/redis/redis-worker-channels.ts";
import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { needs } from "../support/needs.ts";
import { emptyEventLog, inboxOn, shared } from "../support/redis-under-test.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { useRedis } from "../support/use-redis.ts";

/** A Cluster refuses a script whose keys lie in different slots, even if one node serves all of them. */
describe.skipIf(!needs("redis-server"))("on a Redis Cluster of one node", () => {
  const redis = useRedis({ cluster: true });

  pubSubContract("a Redis Cluster", () => emptyEventLog(redis), {
    ...{ newerFormat: true, occurrences: true, entryIds: TIMED_IDS, entryKeys: true, endedCancels: true },
  });

  test("a node takes entries of the inbox under its lease, counts and removes them, and releases the lease", async () => {
    await redis.client.flushall();
    const [inbox, other] = [inboxOn(redis), inboxOn(redis)];
    redis.afterTest(() => Promise.all([inbox.close(), other.close()]));
    const id = String(await redis.client.xadd("telltale:inbox", "*", "event", "{}"));
    await inbox.arrival();
    expect(await inbox.take()).toMatchObject({ entries: [{ id }] });
    expect(await other.take()).toMatchObject({ type: "elsewhere" });
    expect(await inbox.backlog()).toMatchObject({ entries: 1 });
    await inbox.remove([id]);
    await inbox.release();
    expect(await other.take()).toMatchObject({ entries: [] });
  });

  test("a Cluster refuses a script whose keys share no hash tag", async () => {
    const refused = redis.client.eval("return 0", 2, "telltale:{a}", "telltale:{b}");
    expect(await refused.catch((error: Error) => error.message)).toContain("CROSSSLOT");
  });

  test("dead letters are kept, read and removed", async () => {
    await redis.client.flushall();
    const deadLetters = new RedisDeadLetters(shared(redis));
    redis.afterTest(() => deadLetters.close());
    for (const payload of ["one", "two", "one"]) {
      await deadLetters.keep({ channel: "analysis:x", payload, reason: "not JSON" });
    }
    const kept = await Array.fromAsync(deadLetters.read("oldest"));
    expect(kept.map(({ payload }) => payload)).toEqual(["one", "two"]);
    expect(await deadLetters.remove(kept[0]?.id ?? "")).toBe(true);
    expect(await Array.fromAsync(deadLetters.read("oldest"))).toHaveLength(1);
  });

  test("listeners hear bare messages and share their marks", async () => {
    const channels = new RedisWorkerChannels({ ...shared(redis), listen: new Set(["analysis"] as const) });
    redis.afterTest(() => channels.close());
    const stretches: string[] = [];
    await channels.listen(({ occurrence }) => void stretches.push(occurrence?.stretch ?? ""));
    while (!stretches.some((stretch) => /^\w+\.\d+\.\w+$/.test(stretch))) {
      await redis.client.publish("analysis:x", "{}");
    }
  });
});
