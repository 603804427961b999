import { describe, expect, test } from "bun:test";
import { RedisWorkerChannels } from "../../src/adapters/redis/redis-worker-channels.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import type { ClockPort } from "../../src/application/ports/clock-port.ts";
import type { BareMessage } from "../../src/application/ports/worker-channel-port.ts";
import { workerChannelContract } from "../../src/testing/contracts/worker-channel-contract.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import { shared } from "../support/redis-under-test.ts";
import { useRedis } from "../support/use-redis.ts";

type Kind = "analysis" | "user" | "system";
type Heard = Omit<BareMessage, "occurrence">;

const ALL: readonly Kind[] = ["analysis", "user", "system"];

describe.skipIf(!needs("redis-server"))("the rules of WorkerChannelPort", () => {
  const redis = useRedis();

  workerChannelContract("Redis", async () => {
    await redis.client.flushall();
    return {
      node: () => new RedisWorkerChannels({ ...shared(redis), listen: new Set(ALL) }),
      publish: async (channel, payload) => void (await redis.client.publish(channel, payload)),
      elapse: (milliseconds) => Bun.sleep(milliseconds),
      close: async () => {},
    };
  });
});

describe.skipIf(!needs("redis-server"))("workers' channels on Redis", () => {
  const redis = useRedis();

  const make = (...listen: Kind[]) => makeBy(new SystemClock(), ...listen);

  function makeBy(clock: ClockPort, ...listen: Kind[]): RedisWorkerChannels {
    const channels = new RedisWorkerChannels({
      ...shared(redis),
      listen: new Set(listen),
      clock,
    });
    redis.afterTest(() => channels.close());
    return channels;
  }

  async function listening(...listen: Kind[]): Promise<Heard[]> {
    const heard: Heard[] = [];
    await make(...listen).listen(({ lateMs: _, occurrence: __, ...message }) => heard.push(message));
    return heard;
  }

  test("a gateway hears all that workers publish on the three kinds of channel, in order, and nothing else", async () => {
    const heard = await listening(...ALL);
    const sent: Heard[] = [
      { channel: "analysis:A3", payload: '{"message":"Prüfung 🎬"}' },
      { channel: "user:al ice@example.com", payload: "not JSON" },
      { channel: "system:updates", payload: "" },
      ...Array.from({ length: 500 }, (_, n) => ({ channel: `analysis:${n % 7}`, payload: `${n}` })),
    ];
    await redis.client.publish("telltale:0:{analysis:x}", "our own");
    await redis.client.publish("system:other", "x");
    for (const { channel, payload } of sent) void redis.client.publish(channel, payload);
    await eventually("all is heard", async () => heard.length === sent.length);
    expect(heard).toEqual(sent);
  });

  test("PUB-4: a gateway hears a message that is no UTF-8 as garbled, in its event or in the name of its channel", async () => {
    const heard = await listening("analysis", "user");
    await redis.client.publish("analysis:x", Buffer.from([0x22, 0xff, 0x22]));
    await redis.client.publish(Buffer.from([...Buffer.from("user:"), 0xfe]), "{}");
    await redis.client.publish("user:\ufffd", "{}");
    await eventually("all is heard", async () => heard.length === 3);
    expect(heard).toEqual([
      { channel: "analysis:x", payload: '"\ufffd"', garbled: true },
      { channel: "user:\ufffd", payload: "{}", garbled: true },
      { channel: "user:\ufffd", payload: "{}" },
    ]);
  });

  test("PUB-17: a message read after a freeze says how late it may be, until the gateway hears a later probe", async () => {
    const clock = new FreezingClock();
    const heard: BareMessage[] = [];
    await makeBy(clock, "analysis").listen((message) => heard.push(message));
    const next = async () => {
      const before = heard.length;
      await redis.client.publish("analysis:x", "x");
      await eventually("it is heard", async () => heard.length > before);
      return heard.at(-1)?.lateMs ?? 0;
    };
    expect(await next()).toBeLessThan(6_000);
    clock.frozenMs += 150_000;
    expect(await next()).toBeWithin(150_000, 156_000);
    await eventually("a probe is heard", async () => (await next()) < 6_000);
  });

  test("a gateway listens only to the kinds of channel that are configured", async () => {
    const heard = await listening("user");
    const nobody = await listening();
    expect(await redis.client.publish("analysis:x", "x")).toBe(0);
    expect(await redis.client.publish("system:updates", "x")).toBe(0);
    expect(await redis.client.publish("user:alice", "x")).toBe(1);
    await eventually("it is heard", async () => heard.length === 1);
    expect(nobody).toEqual([]);
  });

  test("a gateway listens again after its connection was killed, and after Redis was restarted", async () => {
    const heard = await listening(...ALL);
    await redis.client.call("CLIENT", "KILL", "TYPE", "PUBSUB");
    await eventually("it is heard", async () => (await redis.client.publish("analysis:x", "killed")) === 1);
    await redis.restart();
    await eventually(
      "it is heard",
      async () => (await redis.client.publish("system:updates", "restarted")) === 1,
    );
    await eventually("both are heard", async () => heard.length === 2);
    expect(heard.map(({ payload }) => payload)).toEqual(["killed", "restarted"]);
  }, 20_000);

  test("IDN-7: a replica refuses a mark, since gateways that listen on the primary would not hear it", async () => {
    const heard: BareMessage[] = [];
    await redis.client.call("REPLICAOF", "127.0.0.1", "1");
    await make("analysis").listen((message) => heard.push(message));
    const next = async () => {
      const before = heard.length;
      await redis.client.publish("analysis:x", "x");
      await eventually("it is heard", async () => heard.length > before);
      return heard.at(-1)?.occurrence.stretch ?? "";
    };
    const until = performance.now() + 1_500;
    while (performance.now() < until) expect(await next()).toStartWith("~");
    await redis.client.call("REPLICAOF", "NO", "ONE");
    await eventually("it counts by a mark", async () => /^\w{8}\.\d{16}\.\w{10}$/.test(await next()));
  }, 20_000);

  test("IDN-5: marks go on while the memory of Redis is full", async () => {
    const heard: BareMessage[] = [];
    await redis.client.config("SET", "maxmemory", "1");
    await make("analysis").listen((message) => heard.push(message));
    await eventually("it counts by a mark", async () => {
      await redis.client.publish("analysis:x", "x");
      return heard.at(-1)?.occurrence.since === undefined && heard.length > 0;
    });
    await redis.client.config("SET", "maxmemory", "0");
  });

  test("listen() resolves when Redis comes, however late", async () => {
    await redis.kill9();
    const channels = make("analysis");
    const heard: BareMessage[] = [];
    const started = channels.listen((message) => heard.push(message));
    await redis.restart();
    await started;
    expect(await redis.client.publish("analysis:x", "x")).toBe(1);
  }, 20_000);

  test("close() leaves no subscription behind", async () => {
    const channels = make(...ALL);
    await channels.listen(() => {});
    await channels.close();
    await eventually("the patterns are gone", async () => Number(await redis.client.pubsub("NUMPAT")) === 0);
    expect(await redis.client.publish("system:updates", "x")).toBe(0);
  });
});

/** Shows how much later it is for a process that was frozen. */
class FreezingClock extends SystemClock {
  frozenMs = 0;

  override now(): number {
    return super.now() + this.frozenMs;
  }
}
