import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { RedisInbox } from "../../src/adapters/redis/redis-inbox.ts";
import { INBOX_INCARNATION_KEY, INBOX_LEASE_KEY } from "../../src/adapters/redis/redis-keys.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { Taken } from "../../src/application/ports/inbox-port.ts";
import { inboxContract } from "../../src/testing/contracts/inbox-contract.ts";
import { needs } from "../support/needs.ts";
import { emptyInbox, inboxOn } from "../support/redis-under-test.ts";
import { useRedis } from "../support/use-redis.ts";

describe.skipIf(!needs("redis-server"))("the inbox on Redis", () => {
  const redis = useRedis();
  let inbox: RedisInbox;

  inboxContract("Redis", () => emptyInbox(redis), { keys: true });

  describe("RedisInbox", () => {
    beforeEach(async () => {
      await redis.client.flushall();
      inbox = inboxOn(redis);
    });
    afterEach(() => inbox.close());

    test("IB-4: an entry that is no UTF-8 is unreadable", async () => {
      await redis.client.xadd("telltale:inbox", "*", "event", Buffer.from([0x7b, 0xff, 0x7d]));
      expect(await inbox.take()).toMatchObject({ entries: [{ type: "unreadable", fault: "garbled" }] });
    });

    test("IB-7: an entry that its worker numbered has waited nobody knows how long", async () => {
      await redis.client.xadd("telltale:inbox", "5-1", "event", "{}");
      expect(await inbox.backlog()).toEqual({ entries: 1, oldest: { id: "5-1", ageMs: undefined } });
      expect(await inbox.take()).toMatchObject({ entries: [{ id: "5-1", addedAt: undefined }] });
    });

    test("BUD-9: the script reads giant entries one at a time, and sends none of them to the gateway", async () => {
      const giant = Buffer.alloc(20 * 1024 * 1024, "x");
      for (let n = 0; n < 6; n++) {
        if (n % 2 === 0) await redis.client.xadd("telltale:inbox", "*", "event", giant);
        else await redis.client.xadd("telltale:inbox", "*", "data", giant, "more", giant);
      }
      await redis.client.config("RESETSTAT");
      const taken = await inbox.take();
      expect(taken).toMatchObject({ type: "batch", entries: [{ type: "unreadable", fault: "too_large" }] });
      const stats = await redis.client.info("commandstats");
      expect(Number(/cmdstat_xrange:calls=(\d+)/.exec(stats)?.[1])).toBe(1);
      const sent = Number(/total_net_output_bytes:(\d+)/.exec(await redis.client.info("stats"))?.[1]);
      expect(sent).toBeLessThan(256 * 1024);
    });

    test("BUD-9: a giant key does not reach the gateway as a whole, and stays apart from others by each byte", async () => {
      const giant = "k".repeat(20 * 1024 * 1024);
      for (const key of [`${giant}1`, `${giant}2`, `${giant}1`]) {
        await redis.client.xadd("telltale:inbox", "*", "event", "{}", "idempotency_key", key);
      }
      const keys: unknown[] = [];
      for (let n = 0; n < 3; n++) {
        const { entries } = (await inbox.take()) as Extract<Taken, { type: "batch" }>;
        for (const { key } of entries) keys.push(key);
        await inbox.remove(entries.map(({ id }) => id));
      }
      expect(keys).toEqual([expect.any(String), expect.any(String), keys[0]]);
      expect(keys[1]).not.toBe(keys[0]);
      expect(String(keys[0]).length).toBeLessThan(128 * 1024);
    });

    test("BUD-9: take() reads little more than a batch, though small entries come before large ones", async () => {
      for (let n = 0; n < 40; n++) await redis.client.xadd("telltale:inbox", "*", "event", "{}");
      for (let n = 0; n < 40; n++)
        await redis.client.xadd("telltale:inbox", "*", "event", "x".repeat(1_000_000));
      await redis.client.config("RESETSTAT");
      expect(await inbox.take()).toMatchObject({ entries: { length: 44 } });
      // It reads one, then sixteen at most in each step: no more than 49.
      expect(Number(/cmdstat_xrange:calls=(\d+)/.exec(await redis.client.info("commandstats"))?.[1])).toBe(4);
    });

    test("IB-6: a lease that never ends, or that no gateway wrote, keeps no node from taking", async () => {
      await redis.client.xadd("telltale:inbox", "*", "event", "{}");
      await redis.client.set(INBOX_LEASE_KEY, "somebody");
      expect(await inbox.take()).toMatchObject({ type: "batch", entries: [{ type: "event" }] });
      await redis.client.set(INBOX_LEASE_KEY, "somebody", "EX", 86_400);
      expect(await inbox.take()).toMatchObject({ type: "batch" });
      await redis.client.del(INBOX_LEASE_KEY);
      await redis.client.lpush(INBOX_LEASE_KEY, "x");
      expect(await inbox.take()).toMatchObject({ type: "batch" });
    });

    const LARGEST = "18446744073709551615-18446744073709551615";
    const BEFORE_LARGEST = "18446744073709551615-18446744073709551614";

    test("INB-12: an entry with the largest id is taken, behind those before it", async () => {
      for (const id of ["5-1", BEFORE_LARGEST, LARGEST])
        await redis.client.xadd("telltale:inbox", id, "event", "{}");
      for (let n = 0; n < 2; n++)
        expect(await inbox.take()).toMatchObject({
          entries: [{ id: "5-1" }, { id: BEFORE_LARGEST }, { id: LARGEST }],
        });
      expect(await inbox.backlog()).toMatchObject({ entries: 3, refuses: { cause: "ids_used_up" } });
      await inbox.remove(["5-1", BEFORE_LARGEST]);
      expect(await inbox.take()).toMatchObject({ entries: [{ id: LARGEST }] });
    });

    test("INB-12: an empty inbox whose ids are used up is made anew, and its entries come after all before", async () => {
      await redis.client.xadd("telltale:inbox", "MAXLEN", "=", 0, LARGEST, "event", "{}");
      const refused = await redis.client.xadd("telltale:inbox", "*", "event", "{}").catch(String);
      expect(refused).toContain("exhausted");
      expect(await inbox.take()).toEqual({ type: "batch", entries: [] });
      const place = String(await redis.client.xadd("telltale:inbox", "*", "event", "{}"));
      const { entries } = (await inbox.take()) as Taken & { type: "batch" };
      const [{ id = "", addedAt = 0 } = {}] = entries;
      expect(id).toEndWith(`-${place}`);
      expect(inbox.compareIds(LARGEST, id)).toBeLessThan(0);
      expect(Date.now() - addedAt).toBeWithin(-5_000, 5_000);
      expect(await inbox.backlog()).toMatchObject({ entries: 1, oldest: { id } });
      await inbox.remove([place]);
      expect(await redis.client.xlen("telltale:inbox")).toBe(1);
      await inbox.remove([id]);
      expect(await redis.client.xlen("telltale:inbox")).toBe(0);
    });

    test("INB-12: each inbox that is made anew follows those before it, also if the clock of Redis was set back", async () => {
      await redis.client.set(INBOX_INCARNATION_KEY, "99999999999999");
      await redis.client.xadd("telltale:inbox", "MAXLEN", "=", 0, LARGEST, "event", "{}");
      await inbox.take();
      expect(await redis.client.get(INBOX_INCARNATION_KEY)).toBe("100000000000000");
    });

    test("INB-12: an inbox that has ids left, or was never used, stays as it is", async () => {
      await inbox.take();
      expect(await redis.client.keys("*")).toEqual([INBOX_LEASE_KEY]);
      await redis.client.xadd("telltale:inbox", "MAXLEN", "=", 0, BEFORE_LARGEST, "event", "{}");
      const other = inboxOn(redis);
      await inbox.release();
      await other.take();
      await other.close();
      expect(await redis.client.get(INBOX_INCARNATION_KEY)).toBeNull();
      expect(await redis.client.xadd("telltale:inbox", "*", "event", "{}")).toBe(LARGEST);
    });

    test("IB-7: an entry from the year 5138 has waited nobody knows how long, and others follow it", async () => {
      await redis.client.xadd("telltale:inbox", "99999999999999-0", "event", "{}");
      expect(await redis.client.xadd("telltale:inbox", "*", "event", "{}")).toBe("99999999999999-1");
      expect(await inbox.backlog()).toEqual({
        entries: 2,
        oldest: { id: "99999999999999-0", ageMs: undefined },
      });
      expect(await inbox.take()).toMatchObject({
        entries: [{ addedAt: undefined }, { id: "99999999999999-1" }],
      });
    });

    test("every call says so if the inbox is no stream", async () => {
      await redis.client.lpush("telltale:inbox", "x");
      const asks = [
        () => inbox.take(),
        () => inbox.arrival(),
        () => inbox.backlog(),
        () => inbox.remove(["1-1"]),
      ];
      for (const ask of asks) {
        const failure = await ask().catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(BrokerUnavailable);
        expect(String(failure)).toContain("no stream");
      }
    });

    test("a node takes and removes entries though the memory of Redis is full", async () => {
      const id = String(await redis.client.xadd("telltale:inbox", "*", "event", "{}"));
      await redis.client.config("SET", "maxmemory", "1");
      try {
        expect(await inbox.take()).toMatchObject({ entries: [{ id }] });
        await inbox.remove([id]);
        expect(await inbox.take()).toEqual({ type: "batch", entries: [] });
      } finally {
        await redis.client.config("SET", "maxmemory", "0");
      }
    });

    test("a node that waits for an entry does not poll: an idle second is a handful of commands", async () => {
      const commands = async () =>
        Number(/total_commands_processed:(\d+)/.exec(await redis.client.info("stats"))?.[1]);
      await inbox.take();
      const before = await commands();
      const began = performance.now();
      await inbox.arrival();
      expect(performance.now() - began).toBeGreaterThan(900);
      expect((await commands()) - before).toBeLessThan(6);
    });
  });
});
