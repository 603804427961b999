import { describe, expect, test } from "bun:test";
import { RedisDeadLetters } from "../../src/adapters/redis/redis-dead-letters.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import { deadLetterContract } from "../../src/testing/contracts/dead-letter-contract.ts";
import { needs } from "../support/needs.ts";
import { shared } from "../support/redis-under-test.ts";
import { useRedis } from "../support/use-redis.ts";

describe.skipIf(!needs("redis-server"))("dead letters on Redis", () => {
  const redis = useRedis();

  const another = () => new RedisDeadLetters(shared(redis));
  const make = () => {
    const deadLetters = another();
    redis.afterTest(() => deadLetters.close());
    return deadLetters;
  };

  deadLetterContract("Redis", async () => {
    await redis.client.flushall();
    return { node: another, elapse: (milliseconds) => Bun.sleep(milliseconds), close: async () => {} };
  });

  test("the key that remembers a dead letter expires after three minutes, or an hour if it has a name", async () => {
    await redis.client.flushall();
    const deadLetter = { channel: "analysis:x", payload: "not JSON", reason: "not_json" };
    await make().keep(deadLetter);
    const seen = "telltale:{telltale:deadletters}:seen:*";
    const [content = ""] = await redis.client.keys(seen);
    expect(await redis.client.pttl(content)).toBeWithin(150_000, 180_001);
    await redis.client.flushall();
    await make().keep({ ...deadLetter, name: "1-0" });
    const [name = ""] = await redis.client.keys(seen);
    expect(await redis.client.pttl(name)).toBeWithin(3_500_000, 3_600_001);
  });

  test("BUD-7: a dead letter that somebody removed by hand, or of an earlier version, leaves the books right", async () => {
    await redis.client.flushall();
    const node = make();
    const stream = "telltale:deadletters";
    const keep = (channel: string, payload: string) => node.keep({ channel, payload, reason: "r" });
    const old = redis.client.pipeline();
    for (let n = 0; n < 9_990; n++)
      old.xadd(stream, "*", "channel", "user:x", "payload", `${n}`, "reason", "r", "at", "");
    await old.exec();
    for (let n = 0; n < 30; n++) await keep("user:x", `new ${n}`);
    expect(await redis.client.xlen(stream)).toBe(10_000);
    expect((await redis.client.xrange(stream, "-", "+", "COUNT", 1))[0]?.[1][3]).toBe("20");
    // The newest that were booked are gone, and their books stay.
    for (const [id] of await redis.client.xrevrange(stream, "+", "-", "COUNT", 20))
      await redis.client.xdel(stream, id);
    for (let n = 0; n < 40; n++) await keep("analysis:x", `${n}`);
    expect(await redis.client.xlen(stream)).toBe(10_000);
    await redis.client.del(stream);
    await keep("user:x", "after all");
    expect(await redis.client.hgetall("telltale:{telltale:deadletters}:bytes")).toEqual({
      2: "40",
      all: "40",
    });
    expect(await redis.client.xlen("telltale:{telltale:deadletters}:user")).toBe(1);
  });

  test("BUD-7: a dead letter that is removed leaves the books", async () => {
    await redis.client.flushall();
    const node = make();
    for (const channel of ["user:x", "telltale:inbox"])
      await node.keep({ channel, payload: "p", reason: "r" });
    const deadLetters = make();
    for await (const { id } of deadLetters.read("oldest")) expect(await deadLetters.remove(id)).toBe(true);
    expect(await deadLetters.remove("1-1")).toBe(false);
    expect(await redis.client.hgetall("telltale:{telltale:deadletters}:bytes")).toEqual({
      2: "0",
      4: "0",
      all: "0",
    });
    for (const kind of ["user", "inbox"])
      expect(await redis.client.xlen(`telltale:{telltale:deadletters}:${kind}`)).toBe(0);
  });

  test("DLP-8: a dead letter that Redis cannot take is refused like an append", async () => {
    await redis.client.config("SET", "maxmemory", "1");
    const refused = make().keep({ channel: "c", payload: "full", reason: "r" });
    await expect(refused).rejects.toBeInstanceOf(BrokerUnavailable);
    await redis.client.config("SET", "maxmemory", "0");
  });

  test("DLP-8: once closed, the adapter keeps and reads nothing, and makes no connection", async () => {
    const deadLetters = make();
    await deadLetters.close();
    const deadLetter = { channel: "c", payload: "p", reason: "r" };
    await expect(deadLetters.keep(deadLetter)).rejects.toBeInstanceOf(BrokerUnavailable);
    await expect(deadLetters.find("1-1")).rejects.toBeInstanceOf(BrokerUnavailable);
  });
});
