import { describe, expect, test } from "bun:test";
import { RedisDeadLetters } from "../../src/adapters/redis/redis-dead-letters.ts";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { RedisWorkerChannels } from "../../src/adapters/redis/redis-worker-channels.ts";
import appendEvents from "../../src/adapters/redis/scripts/append-events.lua" with { type: "text" };
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { fault, status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { useRedis } from "../support/use-redis.ts";

/** The commands of append-events.lua, and the one that runs it. */
const OF_APPENDS = [
  ...new Set(Array.from(appendEvents.matchAll(/\bcall\('([A-Z]+)'/g), ([, name = ""]) => name.toLowerCase())),
  "evalsha",
];
const OF_LISTENING = ["subscribe", "psubscribe"];

/** A gateway's user at Redis loses rights and gets them back while the gateway runs. */
describe.skipIf(!needs("redis-server"))("a user of Redis that lacks a permission", () => {
  const redis = useRedis();

  async function userOf(name: string) {
    await redis.client.call("ACL", "SETUSER", name, "on", ">secret", "~*", "&*", "+@all");
    const target = { host: redis.host, port: redis.port, db: 0, username: name, password: "secret" };
    const clock = new SystemClock();
    return { target, clock, telemetry: new CollectingTelemetry() };
  }

  async function nodeOf(name: string): Promise<RedisPubSub> {
    const node = new RedisPubSub({ ...(await userOf(name)), history: { size: 10, ttlMs: 60_000 } });
    redis.afterTest(() => node.close());
    await eventually("it is ready", async () => refusal(node) === undefined);
    return node;
  }

  const refusal = (node: RedisPubSub) => {
    const health = node.health();
    return health.status === "down" ? health.reason : health.refuses?.reason;
  };
  const allow = (name: string, rule: string) => redis.client.call("ACL", "SETUSER", name, rule);
  const kept = async (channel: string) => [
    await redis.client.hgetall(`telltale:{${channel}}`),
    await redis.client.xrange(`telltale:{${channel}}:history`, "-", "+"),
  ];

  test("RDY-4: a node names any missing command of an append within 10 s, half-writes nothing, and recovers by itself", async () => {
    const without = async (command: string) => {
      const node = await nodeOf(command);
      const channel = someAnalysis();
      await node.append({ channel, events: [status(), fault()] });
      const before = await kept(channel);
      await allow(command, `-${command}`);
      const since = performance.now();
      await eventually(`${command} is missed`, async () => refusal(node) !== undefined);
      expect(performance.now() - since).toBeLessThan(10_000);
      expect([command, refusal(node)]).toEqual([
        command,
        `the gateway's user at the broker lacks a permission: ${command.toUpperCase()}`,
      ]);
      await expect(node.append({ channel, events: [status()] })).rejects.toBeInstanceOf(BrokerUnavailable);
      await expect(node.declareViewers(channel, "*")).rejects.toBeInstanceOf(BrokerUnavailable);
      expect(await kept(channel)).toEqual(before);
      await allow(command, `+${command}`);
      const mended = performance.now();
      await eventually(`${command} is there`, async () => refusal(node) === undefined);
      expect(performance.now() - mended).toBeLessThan(10_000);
      expect(await node.append({ channel, events: [status()] })).toMatchObject({ firstOffset: 3 });
    };
    await Promise.all(OF_APPENDS.map(without));
  }, 60_000);

  test("RDY-4: a node says whether it lacks keys or channels", async () => {
    const [keys, channels] = await Promise.all([nodeOf("keyless"), nodeOf("channelless")]);
    await redis.client.call("ACL", "SETUSER", "keyless", "resetkeys", "~other:*");
    await redis.client.call("ACL", "SETUSER", "channelless", "resetchannels", "&other:*");
    const lacks = "the gateway's user at the broker lacks a permission";
    await eventually("keys are missed", async () => refusal(keys) === `${lacks}: keys`);
    await eventually(
      "channels are missed",
      async () => refusal(channels)?.startsWith(`${lacks}: channels`) ?? false,
    );
    await redis.client.call("ACL", "SETUSER", "keyless", "allkeys");
    await redis.client.call("ACL", "SETUSER", "channelless", "allchannels");
    for (const node of [keys, channels]) {
      await eventually("it is ready", async () => refusal(node) === undefined);
    }
  }, 60_000);

  test("RDY-4: a node that may not listen is not ready, does not hammer the server, and listens when it may", async () => {
    const without = async (command: string) => {
      const shared = await userOf(command);
      await allow(command, `-${command}`);
      const workers = new RedisWorkerChannels({
        ...shared,
        listen: new Set(["analysis", "user", "system"] as const),
      });
      redis.afterTest(() => workers.close());
      const heard: string[] = [];
      const listening = workers.listen(({ payload }) => heard.push(payload));
      await eventually("it says so", async () => workers.away?.cause === "permission");
      expect(workers.away).toEqual({ cause: "permission", permission: command.toUpperCase() });
      const lost = () => shared.telemetry.counts.get("broker_links_lost") ?? 0;
      await eventually("it has tried again", async () => lost() > 3);
      const [before, since] = [lost(), performance.now()];
      await eventually("it tries on", async () => lost() > before + 1);
      expect(performance.now() - since).toBeGreaterThan(800);
      expect(workers.away).toMatchObject({ cause: "permission" });
      await allow(command, `+${command}`);
      await listening;
      await eventually("it hears", async () => {
        await redis.client.publish(`analysis:${crypto.randomUUID()}`, command);
        return heard.includes(command);
      });
      expect(workers.away).toBeUndefined();
      expect(shared.telemetry.logs.filter(({ level }) => level === "warn")).toHaveLength(1);
    };
    await Promise.all(OF_LISTENING.map(without));
  }, 60_000);

  test("RDY-4: a node says that it may not keep a dead letter for as long as it tries", async () => {
    const shared = await userOf("no-dead-letters");
    const deadLetters = new RedisDeadLetters(shared);
    redis.afterTest(() => deadLetters.close());
    await redis.client.call("ACL", "SETUSER", "no-dead-letters", "resetkeys", "~telltale:{analysis*");
    const deadLetter = { channel: "analysis:x", payload: "p", reason: "r" };
    await expect(deadLetters.keep(deadLetter)).rejects.toBeInstanceOf(BrokerUnavailable);
    expect(deadLetters.trouble).toMatchObject({ cause: "permission" });
    await redis.client.call("ACL", "SETUSER", "no-dead-letters", "allkeys");
    await deadLetters.keep(deadLetter);
    expect(deadLetters.trouble).toBeUndefined();
  }, 30_000);

  test("RDY-1: a trial sends nothing to the subscribers of a channel", async () => {
    const node = await nodeOf("watching");
    const heard = new CollectingSubscriber();
    const channel = someAnalysis();
    await node.subscribe(channel, heard);
    await node.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length === 1);
    expect(heard.offsets).toEqual([1]);
  }, 30_000);
});
