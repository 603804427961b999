import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

const LETTERS = "telltale:deadletters";

describe.skipIf(!needs("redis-server"))("messages that nobody can deliver", () => {
  let redis: RunningRedis;
  let worker: Redis;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    redis = await startRedis();
    worker = new Redis(redis.url);
    gateway = await startGateway({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await gateway?.stop();
    worker?.disconnect();
    await redis?.stop();
  });

  const logged = () => gateway.output().split("\n");

  test("BUD-6, BUD-8: a channel name of 5 MB costs a dead letter and a log line of a few KiB", async () => {
    await worker.publish(`user:${"x".repeat(5_000_000)}`, "{");
    await worker.publish(`analysis:${"é".repeat(2_000_000)}`, "{".repeat(3_000_000));
    await eventually("both are letters", async () => (await worker.xlen(LETTERS)) === 2);
    const letters = await worker.xrange(LETTERS, "-", "+");
    for (const [, [, channel = "", , payload = "", , reason = ""]] of letters) {
      expect(channel).toEndWith(" … (cut)");
      expect(Buffer.byteLength(channel)).toBeLessThanOrEqual(512);
      expect(payload.length).toBeLessThanOrEqual(64 * 1024);
      expect(reason.length).toBeLessThan(200);
    }
    await eventually(
      "both are logged",
      async () => logged().filter((line) => line.includes("(cut)")).length === 2,
    );
    expect(Math.max(...logged().map((line) => line.length))).toBeLessThan(4 * 1024);
  });

  test("BUD-7, BUD-8: ten thousand foreign messages leave the dead letter of an analysis and few log lines", async () => {
    const analysis = `analysis:${crypto.randomUUID()}`;
    await worker.publish(analysis, "not an event");
    for (let sent = 0; sent < 10_100; sent += 100) {
      const some = worker.pipeline();
      for (let n = sent; n < sent + 100; n++) some.publish("user:7", `message ${n}`);
      await some.exec();
    }
    await eventually(
      "the newest is a letter",
      async () => (await worker.xrevrange(LETTERS, "+", "-", "COUNT", 1))[0]?.[1][3] === "message 10099",
    );
    const letters = (await worker.xrange(LETTERS, "-", "+")).map(([, [, channel]]) => channel);
    expect(letters).toHaveLength(10_000);
    expect(letters.filter((channel) => channel === analysis)).toHaveLength(1);
    // Twenty for each ten seconds that it took, and one for the analysis.
    expect(logged().filter((line) => line.includes("refused")).length).toBeLessThan(100);
    await gateway.stop();
    const more = logged().flatMap((line) => (line.includes('"more"') ? [JSON.parse(line)] : []));
    const written = logged().filter((line) => line.includes('"channel":"user:7"')).length;
    expect(more.every(({ level, kind }) => level === "warn" && kind === "user")).toBe(true);
    expect(more.reduce((sum, one) => sum + one.more, written)).toBe(10_100);
  }, 60_000);
});
