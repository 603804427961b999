import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { RedisDeadLetters } from "../../src/adapters/redis/redis-dead-letters.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { deadLetterContract } from "../../src/testing/contracts/dead-letter-contract.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

describe.skipIf(!needs("redis-server"))("dead letters on Redis", () => {
  let redis: RunningRedis;
  let worker: Redis;
  let open: RedisDeadLetters[] = [];

  const another = () =>
    new RedisDeadLetters({
      target: { host: redis.host, port: redis.port, db: 0 },
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
    });
  const make = () => {
    const deadLetters = another();
    open.push(deadLetters);
    return deadLetters;
  };

  beforeAll(async () => {
    redis = await startRedis();
    worker = patientClient(redis);
  });
  afterEach(async () => {
    await Promise.all(open.map((deadLetters) => deadLetters.close()));
    open = [];
  });
  afterAll(async () => {
    worker.disconnect();
    await redis.stop();
  });

  deadLetterContract("Redis", async () => {
    await worker.flushall();
    return { node: another, elapse: (milliseconds) => Bun.sleep(milliseconds), close: async () => {} };
  });

  test("the key that remembers a dead letter expires after three minutes, or an hour if it has a name", async () => {
    await worker.flushall();
    const deadLetter = { channel: "analysis:x", payload: "not JSON", reason: "not_json" };
    await make().keep(deadLetter);
    const seen = "telltale:{telltale:deadletters}:seen:*";
    const [content = ""] = await worker.keys(seen);
    expect(await worker.pttl(content)).toBeWithin(150_000, 180_001);
    await worker.flushall();
    await make().keep({ ...deadLetter, name: "1-0" });
    const [name = ""] = await worker.keys(seen);
    expect(await worker.pttl(name)).toBeWithin(3_500_000, 3_600_001);
  });

  test("BUD-7: a dead letter that somebody removed by hand, or of an earlier version, leaves the books right", async () => {
    await worker.flushall();
    const node = make();
    const stream = "telltale:deadletters";
    const keep = (channel: string, payload: string) => node.keep({ channel, payload, reason: "r" });
    const old = worker.pipeline();
    for (let n = 0; n < 9_990; n++)
      old.xadd(stream, "*", "channel", "user:x", "payload", `${n}`, "reason", "r", "at", "");
    await old.exec();
    for (let n = 0; n < 30; n++) await keep("user:x", `new ${n}`);
    expect(await worker.xlen(stream)).toBe(10_000);
    expect((await worker.xrange(stream, "-", "+", "COUNT", 1))[0]?.[1][3]).toBe("20");
    // The newest that were booked are gone, and their books stay.
    for (const [id] of await worker.xrevrange(stream, "+", "-", "COUNT", 20)) await worker.xdel(stream, id);
    for (let n = 0; n < 40; n++) await keep("analysis:x", `${n}`);
    expect(await worker.xlen(stream)).toBe(10_000);
    await worker.del(stream);
    await keep("user:x", "after all");
    expect(await worker.hgetall("telltale:{telltale:deadletters}:bytes")).toEqual({ 2: "40", all: "40" });
    expect(await worker.xlen("telltale:{telltale:deadletters}:user")).toBe(1);
  });

  test("BUD-7: a dead letter that is removed leaves the books", async () => {
    await worker.flushall();
    const node = make();
    for (const channel of ["user:x", "telltale:inbox"])
      await node.keep({ channel, payload: "p", reason: "r" });
    const deadLetters = make();
    for await (const { id } of deadLetters.read("oldest")) expect(await deadLetters.remove(id)).toBe(true);
    expect(await deadLetters.remove("1-1")).toBe(false);
    expect(await worker.hgetall("telltale:{telltale:deadletters}:bytes")).toEqual({
      2: "0",
      4: "0",
      all: "0",
    });
    for (const kind of ["user", "inbox"])
      expect(await worker.xlen(`telltale:{telltale:deadletters}:${kind}`)).toBe(0);
  });

  test("DLP-8: a dead letter that Redis cannot take is refused like an append", async () => {
    await worker.config("SET", "maxmemory", "1");
    const refused = make().keep({ channel: "c", payload: "full", reason: "r" });
    await expect(refused).rejects.toBeInstanceOf(BrokerUnavailable);
    await worker.config("SET", "maxmemory", "0");
  });

  test("DLP-8: once closed, the adapter keeps and reads nothing, and makes no connection", async () => {
    const deadLetters = make();
    await deadLetters.close();
    const deadLetter = { channel: "c", payload: "p", reason: "r" };
    await expect(deadLetters.keep(deadLetter)).rejects.toBeInstanceOf(BrokerUnavailable);
    await expect(deadLetters.find("1-1")).rejects.toBeInstanceOf(BrokerUnavailable);
  });
});
