import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { RedisWorkerChannels } from "../../src/adapters/redis/redis-worker-channels.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { BareMessage } from "../../src/application/ports/worker-channel-port.ts";
import { CollectingTelemetry } from "../support/collecting-telemetry.ts";
import { eventually } from "../support/eventually.ts";
import { needs } from "../support/needs.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

type Lane = "analysis" | "user" | "system";

describe.skipIf(!needs("redis-server"))("workers' channels on Redis", () => {
  let redis: RunningRedis;
  let worker: Redis;
  let open: RedisWorkerChannels[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    worker = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    // A server that is being restarted refuses for a moment.
    worker.on("error", () => {});
  });
  afterEach(async () => {
    await Promise.all(open.map((channels) => channels.close()));
    open = [];
  });
  afterAll(async () => {
    worker.disconnect();
    await redis.stop();
  });

  function make(...listen: Lane[]): RedisWorkerChannels {
    const channels = new RedisWorkerChannels({
      target: { host: redis.host, port: redis.port, db: 0 },
      listen: new Set(listen),
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
    });
    open.push(channels);
    return channels;
  }

  async function listening(...listen: Lane[]): Promise<BareMessage[]> {
    const heard: BareMessage[] = [];
    await make(...listen).listen(({ lateMs: _, ...message }) => heard.push(message));
    return heard;
  }

  test("what a worker publishes on the three kinds of channel is heard, in order, and nothing else", async () => {
    const heard = await listening("analysis", "user", "system");
    const sent: BareMessage[] = [
      { channel: "analysis:A3", payload: '{"message":"Prüfung 🎬"}' },
      { channel: "user:al ice@example.com", payload: "not JSON" },
      { channel: "system:updates", payload: "" },
      ...Array.from({ length: 500 }, (_, n) => ({ channel: `analysis:${n % 7}`, payload: `${n}` })),
    ];
    await worker.publish("telltale:0:{analysis:x}", "our own");
    await worker.publish("system:other", "x");
    for (const { channel, payload } of sent) void worker.publish(channel, payload);
    await eventually("all is heard", async () => heard.length === sent.length);
    expect(heard).toEqual(sent);
  });

  test("PUB-4: what is no UTF-8 is heard as such, be it the event or the name of the channel", async () => {
    const heard = await listening("analysis", "user");
    await worker.publish("analysis:x", Buffer.from([0x22, 0xff, 0x22]));
    await worker.publish(Buffer.from([...Buffer.from("user:"), 0xfe]), "{}");
    await worker.publish("user:\ufffd", "{}");
    await eventually("all is heard", async () => heard.length === 3);
    expect(heard).toEqual([
      { channel: "analysis:x", payload: '"\ufffd"', garbled: true },
      { channel: "user:\ufffd", payload: "{}", garbled: true },
      { channel: "user:\ufffd", payload: "{}" },
    ]);
  });

  test("only the lanes asked for are listened to", async () => {
    const heard = await listening("user");
    const nobody = await listening();
    expect(await worker.publish("analysis:x", "x")).toBe(0);
    expect(await worker.publish("system:updates", "x")).toBe(0);
    expect(await worker.publish("user:alice", "x")).toBe(1);
    await eventually("it is heard", async () => heard.length === 1);
    expect(nobody).toEqual([]);
  });

  test("it listens again after its connection was killed, and after Redis was restarted", async () => {
    const heard = await listening("analysis", "user", "system");
    await worker.call("CLIENT", "KILL", "TYPE", "PUBSUB");
    await eventually("it is heard", async () => (await worker.publish("analysis:x", "killed")) === 1);
    await redis.restart();
    await eventually("it is heard", async () => (await worker.publish("system:updates", "restarted")) === 1);
    await eventually("both are heard", async () => heard.length === 2);
    expect(heard.map(({ payload }) => payload)).toEqual(["killed", "restarted"]);
  }, 20_000);

  test("listen() resolves when Redis comes, however late", async () => {
    await redis.kill9();
    const channels = make("analysis");
    const heard: BareMessage[] = [];
    const started = channels.listen((message) => heard.push(message));
    await redis.restart();
    await started;
    expect(await worker.publish("analysis:x", "x")).toBe(1);
  }, 20_000);

  test("nothing of it is left after close()", async () => {
    const channels = make("analysis", "user", "system");
    await channels.listen(() => {});
    await channels.close();
    await eventually("the patterns are gone", async () => Number(await worker.pubsub("NUMPAT")) === 0);
    expect(await worker.publish("system:updates", "x")).toBe(0);
  });

  test("a dead letter is kept once though several gateways report it, with what it was", async () => {
    await worker.flushall();
    const letter = { channel: "analysis:x", payload: "not JSON", reason: "not_json" };
    const gateways = [make(), make(), make()];
    await Promise.all(gateways.map((channels) => channels.keepDeadLetter(letter)));
    await gateways[0]!.keepDeadLetter({ ...letter, channel: "analysis:y" });
    const kept = (await worker.xrange("telltale:deadletters", "-", "+")).map(([, fields]) => fields);
    expect(kept.map((fields) => [fields[0], fields[2], fields[4], fields[6]])).toEqual(
      Array.from({ length: 2 }, () => ["channel", "payload", "reason", "at"]),
    );
    expect(kept[0]).toMatchObject({ 1: "analysis:x", 3: "not JSON", 5: "not_json" });
    expect(Date.parse(kept[0]![7]!)).toBeGreaterThan(Date.now() - 60_000);
    expect(kept[1]).toMatchObject({ 1: "analysis:y" });
    const remembered = (await worker.keys("telltale:{telltale:deadletters}:seen:*"))[0]!;
    expect(await worker.pttl(remembered)).toBeWithin(150_000, 180_001);
  });

  test("of a dead letter 64 KiB are kept, and of all of them the newest 10,000", async () => {
    await worker.flushall();
    await worker.eval(
      "for n = 1, 10050 do redis.call('XADD', 'telltale:deadletters', '*', 'payload', n) end",
      0,
    );
    await make().keepDeadLetter({ channel: "c", payload: `a${"ü".repeat(600_000)}`, reason: "r" });
    expect(await worker.xlen("telltale:deadletters")).toBe(10_000);
    const [last] = await worker.xrevrange("telltale:deadletters", "+", "-", "COUNT", 1);
    expect(Buffer.byteLength(last![1][3]!)).toBe(65_535);
  });

  test("a dead letter that Redis cannot take is refused like an append", async () => {
    await worker.config("SET", "maxmemory", "1");
    const refused = make().keepDeadLetter({ channel: "c", payload: "full", reason: "r" });
    await expect(refused).rejects.toBeInstanceOf(BrokerUnavailable);
    await worker.config("SET", "maxmemory", "0");
  });
});
