import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { useRedis } from "../support/use-redis.ts";
import { WorkerStream } from "../support/worker-stream.ts";

/** Workers go on publishing bare while the gateways that hear them die, freeze and come back. */
describe.skipIf(!needs("redis-server"))("bare publishing through faults", () => {
  const redis = useRedis();
  let stream: WorkerStream;
  let gateways: GatewayProcess[] = [];

  beforeEach(() => {
    stream = new WorkerStream(redis.url);
  });
  afterEach(async () => {
    stream.close();
    await Promise.all(gateways.map((gateway) => gateway.kill9()));
    gateways = [];
    await redis.client.flushall();
  });

  const gateway = async (env: Record<string, string> = {}) => {
    const started = await startGateway({ REDIS_URL: redis.url, HISTORY_SIZE: "20000", ...env });
    gateways.push(started);
    return started;
  };
  /** The connections that have subscribed to everything that they should hear. */
  const listeners = async () =>
    ((await redis.client.client("LIST")) as string)
      .split("\n")
      .filter((line) => line.includes("telltale-workers") && / sub=[1-9]/.test(line))
      .map((line) => /id=(\d+)/.exec(line)?.[1] ?? "");
  /** Resolves when some gateway ingests bare messages, and all listen. */
  const established = async () => {
    stream.say();
    await eventually(
      "it is kept",
      async () => (await redis.client.keys("*:history")).length === stream.ids.length,
    );
  };
  const counters = async ({ url }: GatewayProcess) =>
    ((await (await fetch(`${url}/ws/health`)).json()) as { counters: Record<string, number> }).counters;
  /**
   * Resolves when no gateway holds bare messages any more: each has refused one, and ingests all in the order heard.
   */
  const settledIn = async () => {
    await eventually("all listen", async () => (await listeners()).length === gateways.length);
    const refused = async (one: GatewayProcess) => (await counters(one)).dead_letters ?? 0;
    const before = await Promise.all(gateways.map(refused));
    await redis.client.publish("analysis:refused", crypto.randomUUID());
    await eventually("all have ingested it", async () => {
      const after = await Promise.all(gateways.map(refused));
      return after.every((count, index) => count > (before[index] ?? 0));
    });
  };
  const expectAll = async () => {
    for (const kept of await stream.end()) expect(kept).toEqual(stream.whole);
  };

  test("PUB-17: two gateways, one of them frozen for 15 s, lose and repeat nothing and keep the order", async () => {
    const [frozen] = [await gateway(), await gateway()];
    await established();
    stream.start();
    await stream.more(200);
    process.kill(frozen.pid, "SIGSTOP");
    const until = performance.now() + 15_000;
    await eventually("15 seconds have passed", async () => performance.now() > until);
    process.kill(frozen.pid, "SIGCONT");
    await stream.more(400);
    await expectAll();
    // The frozen gateway has ingested all that it heard.
    const counts = await counters(frozen);
    expect(counts.bare_events_seen).toBeGreaterThan(stream.sent);
    expect(counts.bare_events_lost ?? 0).toBe(0);
  }, 120_000);

  test("PUB-16: three gateways, killed one after the other, keep every message once and in order", async () => {
    for (let count = 0; count < 3; count++) await gateway();
    await established();
    stream.start();
    for (let round = 0; round < 5; round++) {
      // Slow enough that each lives longer than the time for which it holds bare messages.
      await stream.more(300);
      await gateways.shift()?.kill9();
      await gateway();
    }
    await stream.more(100);
    await expectAll();
  }, 120_000);

  test("PUB-13: two listeners, one of which loses its connection over and over, lose nothing and keep the order", async () => {
    await gateway();
    await settledIn();
    const [steady = ""] = await listeners();
    await gateway();
    await established();
    await settledIn();
    stream.start();
    for (let cut = 0; cut < 5; cut++) {
      await stream.more(60);
      const [id = ""] = (await listeners()).filter((id) => id !== steady);
      await redis.client.call("CLIENT", "KILL", "ID", id);
      await eventually("it listens again", async () => {
        const now = await listeners();
        return now.length === 2 && !now.includes(id);
      });
    }
    expect(await listeners()).toContain(steady);
    await expectAll();
  }, 120_000);

  test("PUB-13: listeners that all lose their connections at once keep each message that any of them heard, once and in order", async () => {
    for (let count = 0; count < 3; count++) await gateway();
    await established();
    stream.start(2);
    for (let cut = 0; cut < 3; cut++) {
      // Those that are cut within their first 3 s may store an event after newer ones (docs/GUARANTEES.md).
      await settledIn();
      await stream.more(200);
      await redis.client.call("CLIENT", "KILL", "TYPE", "PUBSUB");
    }
    await settledIn();
    await stream.more(100);
    for (const kept of await stream.end()) {
      expect(kept.length).toBeGreaterThan(400);
      expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
    }
  }, 120_000);

  test("PUB-15: gateways keep nothing while the memory of Redis is full, and then all messages in order", async () => {
    await Promise.all([gateway(), gateway()]);
    await established();
    stream.start(2);
    await stream.more(100);
    await redis.client.config("SET", "maxmemory", "1");
    await stream.more(1_000);
    await redis.client.config("SET", "maxmemory", "0");
    await stream.more(100);
    await expectAll();
  }, 120_000);

  test("OPS-10: a drain under a steady stream ends at once, and the other gateway misses nothing", async () => {
    const [leaving] = [await gateway({ DRAIN_SECONDS: "20" }), await gateway()];
    await established();
    stream.start(1);
    await stream.more(200);
    const asked = performance.now();
    expect(await leaving.stop()).toBe(0);
    expect(performance.now() - asked).toBeLessThan(10_000);
    await stream.more(100);
    await expectAll();
  }, 120_000);

  test("a gateway with LISTEN=none is ready, and hears no worker", async () => {
    const silent = await gateway({ LISTEN: "none" });
    await eventually("it is ready", async () => (await fetch(`${silent.url}/ready`)).ok);
    expect(await listeners()).toEqual([]);
    expect(await redis.client.publish(`analysis:${crypto.randomUUID()}`, "{}")).toBe(0);
  });
});
