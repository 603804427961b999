import { describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis-server.ts";
import { useRedis } from "../support/use-redis.ts";

/** Connections that hang, break and come back. */
describe.skipIf(!needs("redis-server"))("connections to Redis", () => {
  const redis = useRedis();

  const watchedChannels = async () =>
    (await redis.client.pubsub("CHANNELS", "telltale:*{analysis:*")) as string[];

  test("while Redis hangs an append is unknown, later ones are refused at once, and the node recovers by itself", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    await node.append({ channel, events: [status()] });
    const { pid } = redis;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    process.kill(pid, "SIGSTOP");
    try {
      const started = performance.now();
      await expect(node.append({ channel, events: [status()] })).rejects.toBeInstanceOf(OutcomeUnknown);
      expect(performance.now() - started).toBeLessThan(5_000);
      expect(node.health()).toMatchObject({ status: "down", cause: "silent" });
      const again = performance.now();
      await expect(node.append({ channel, events: [status()] })).rejects.toBeInstanceOf(BrokerUnavailable);
      expect(performance.now() - again).toBeLessThan(1_000);
      await expect(node.snapshot(channel)).rejects.toBeInstanceOf(BrokerUnavailable);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await eventually("it is up again", async () => node.health().status === "up");
    expect(await node.append({ channel, events: [status()] })).toMatchObject({ type: "stored" });
  }, 60_000);

  test("a node notices within seconds that Redis hangs though nobody publishes", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await node.subscribe(channel, heard);
    await node.snapshot(channel);
    const { pid } = redis;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    process.kill(pid, "SIGSTOP");
    try {
      const frozen = performance.now();
      await eventually("it is noticed", async () => node.health().status === "down");
      expect(performance.now() - frozen).toBeLessThan(5_000);
      const asked = performance.now();
      const subscribing = node.subscribe(someAnalysis(), new CollectingSubscriber());
      await expect(subscribing).rejects.toBeInstanceOf(BrokerUnavailable);
      expect(performance.now() - asked).toBeLessThan(5_000);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await eventually("it is up again", async () => node.health().status === "up");
    await node.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length === 1);
  }, 60_000);

  test("a node gives up its connections to a Redis that stays frozen, and connects anew when it wakes", async () => {
    const telemetry = new CollectingTelemetry();
    const node = redis.nodes.make({ telemetry });
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await node.subscribe(channel, heard);
    const { pid } = redis;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    process.kill(pid, "SIGSTOP");
    try {
      // The node says that it is away once the first connection is given up; the one that listens may be the last.
      await eventually(
        "every connection is given up",
        async () => {
          const health = node.health();
          const lost = telemetry.counts.get("broker_links_lost") ?? 0;
          return lost >= 3 && health.status === "down" && health.cause === "unreachable";
        },
        // They give up apart from each other, and each tries anew every four seconds.
        40_000,
      );
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await eventually("it is up again", async () => node.health().status === "up");
    await heard.until(() => heard.restored >= 1);
    await node.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length === 1);
  }, 90_000);

  test("while Redis is away a node refuses at once, and serves again when it is back", async () => {
    const telemetry = new CollectingTelemetry();
    const node = redis.nodes.make({ telemetry });
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await node.subscribe(channel, heard);
    await redis.kill9();
    // Each connection notices by itself, and only then refuses.
    await eventually("it is noticed", async () => telemetry.counts.get("broker_links_lost") === 3);
    expect(node.health().status).toBe("down");
    const asked = performance.now();
    await expect(node.append({ channel, events: [status()] })).rejects.toBeInstanceOf(BrokerUnavailable);
    await expect(node.subscribe(channel, new CollectingSubscriber())).rejects.toBeInstanceOf(
      BrokerUnavailable,
    );
    expect(performance.now() - asked).toBeLessThan(1_500);
    await redis.restart();
    await heard.until(() => heard.restored === 1);
    await eventually("it is up again", async () => node.health().status === "up");
    await node.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length === 1);
    expect(heard.offsets).toEqual([1]);
  }, 60_000);

  test("a node that starts before its Redis says so, and begins when Redis comes", async () => {
    await redis.kill9();
    const node = redis.nodes.make();
    const channel = someAnalysis();
    await expect(node.append({ channel, events: [status()] })).rejects.toBeInstanceOf(BrokerUnavailable);
    expect(node.health()).toMatchObject({ status: "down" });
    await redis.restart();
    await eventually("it is up", async () => node.health().status === "up");
    expect(await node.append({ channel, events: [status()] })).toMatchObject({
      type: "stored",
      firstOffset: 1,
    });
  }, 60_000);

  test("appends that were under way when Redis was killed have unknown outcomes, and none is sent again", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    await node.append({ channel, events: [status()] });
    const pid = redis.pid;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    process.kill(pid, "SIGSTOP");
    const underWay = Promise.allSettled(
      Array.from({ length: 20 }, () => node.append({ channel, events: [status()] })),
    );
    await redis.kill9();
    await redis.restart();
    const failures = (await underWay).map((outcome) =>
      outcome.status === "rejected" ? outcome.reason.constructor : outcome.value.type,
    );
    expect(new Set(failures)).toEqual(new Set([OutcomeUnknown]));
    await eventually("it is up", async () => node.health().status === "up");
    expect(await node.append({ channel, events: [status()] })).toMatchObject({ firstOffset: 1 });
  }, 60_000);

  test("a subscriber whose connection was killed is subscribed again, told so, and hears the next event", async () => {
    const [listener, publisher] = [redis.nodes.make(), redis.nodes.make()];
    const channels = Array.from({ length: 1_200 }, someAnalysis);
    const heard = channels.map(() => new CollectingSubscriber());
    await Promise.all(channels.map((channel, index) => listener.subscribe(channel, heard[index]!)));
    for (let round = 1; round <= 3; round++) {
      await redis.client.call("CLIENT", "KILL", "TYPE", "PUBSUB");
      await Promise.all(heard.map((subscriber) => subscriber.until(() => subscriber.restored === round)));
      for (let first = 0; first < channels.length; first += 100) {
        const lot = channels.slice(first, first + 100);
        await Promise.all(lot.map((channel) => publisher.append({ channel, events: [status()] })));
      }
      await Promise.all(
        heard.map((subscriber) => subscriber.until(() => subscriber.events.length === round)),
      );
    }
    expect((await watchedChannels()).length).toBe(channels.length);
  }, 60_000);

  test("a subscriber that leaves while the connection is down is not subscribed again, and no caller waits for ever", async () => {
    const listener = redis.nodes.make();
    const channels = Array.from({ length: 100 }, someAnalysis);
    const subscriptions = await Promise.all(
      channels.map((channel) => listener.subscribe(channel, new CollectingSubscriber())),
    );
    await redis.client.call("CLIENT", "KILL", "TYPE", "PUBSUB");
    await Promise.all(subscriptions.slice(1).map((subscription) => subscription.unsubscribe()));
    await eventually("it is back", async () => listener.health().status === "up");
    await eventually("one channel is left", async () => (await watchedChannels()).length === 1);
  }, 60_000);

  test("a subscriber that leaves while it is subscribed again leaves no subscription at the broker", async () => {
    const listener = redis.nodes.make();
    const heard = Array.from({ length: 1_500 }, () => new CollectingSubscriber());
    const subscriptions = await Promise.all(
      heard.map((subscriber) => listener.subscribe(someAnalysis(), subscriber)),
    );
    await redis.client.call("CLIENT", "KILL", "TYPE", "PUBSUB");
    // Redis has answered the first batch, and the answer to the second is on its way.
    await Promise.race(heard.map((subscriber) => subscriber.until(() => subscriber.restored === 1)));
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
    await eventually("none is left", async () => (await watchedChannels()).length === 0);
    await listener.subscribe(someAnalysis(), new CollectingSubscriber());
    expect(await watchedChannels()).toHaveLength(1);
  }, 60_000);

  test("a node uses its password, and names a wrong one as the reason", async () => {
    const guarded = await startRedis();
    const owner = new Redis(guarded.url);
    await owner.config("SET", "requirepass", "s3cret ä");
    const [right, wrong] = ["s3cret ä", "guess"].map(
      (password) =>
        new RedisPubSub({
          target: { host: guarded.host, port: guarded.port, db: 0, username: undefined, password },
          history: { size: 10, ttlMs: 60_000 },
          clock: new SystemClock(),
          telemetry: new CollectingTelemetry(),
        }),
    ) as [RedisPubSub, RedisPubSub];
    try {
      const append = (node: RedisPubSub) => node.append({ channel: someAnalysis(), events: [status()] });
      expect(await append(right)).toMatchObject({ type: "stored" });
      await expect(append(wrong)).rejects.toBeInstanceOf(BrokerUnavailable);
      expect(wrong.health()).toMatchObject({ status: "down", cause: "credentials" });
      expect(JSON.stringify(wrong.health())).not.toContain("guess");
    } finally {
      owner.disconnect();
      await Promise.all([right.close(), wrong.close()]);
      await guarded.stop();
    }
  }, 60_000);
});
