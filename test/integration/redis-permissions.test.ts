import { describe, expect, test } from "bun:test";
import { RedisDeadLetters } from "../../src/adapters/redis/redis-dead-letters.ts";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { RedisWorkerChannels } from "../../src/adapters/redis/redis-worker-channels.ts";
import appendEvents from "../../src/adapters/redis/scripts/append-events.lua" with { type: "text" };
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { ClockPort } from "../../src/application/ports/clock-port.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { fault, status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { useRedis } from "../support/use-redis.ts";

/** The commands of append-events.lua, and the one that runs it. */
const OF_APPENDS = [
  ...new Set(Array.from(appendEvents.matchAll(/\bcall\('([A-Z]+)'/g), ([, name = ""]) => name.toLowerCase())),
  "evalsha",
];
/** A node looks so often, by its clock. */
const LOOK_MS = 2_000;
const OF_LISTENING = ["subscribe", "psubscribe"];

/** A gateway's user at Redis loses rights and gets them back while the gateway runs. */
describe.skipIf(!needs("redis-server"))("a user of Redis that lacks a permission", () => {
  const redis = useRedis();

  async function userOf(name: string, clock: ClockPort = new SystemClock()) {
    await redis.client.call("ACL", "SETUSER", name, "on", ">secret", "~*", "&*", "+@all");
    const target = { host: redis.host, port: redis.port, db: 0, username: name, password: "secret" };
    return { target, clock, telemetry: new CollectingTelemetry() };
  }

  async function nodeOf(name: string, clock?: ClockPort): Promise<RedisPubSub> {
    const node = new RedisPubSub({ ...(await userOf(name, clock)), history: { size: 10, ttlMs: 60_000 } });
    redis.afterTest(() => node.close());
    await eventually("it is ready", async () => refusal(node) === undefined);
    return node;
  }

  const refusal = (node: RedisPubSub) => {
    const health = node.health();
    return health.status === "down" ? health.reason : health.refuses?.reason;
  };
  /** Resolves once `holds` does, if the clock of a node goes on: by how much is for the unit tests of its trials to say. */
  const looking = (clock: ManualClock, what: string, holds: () => boolean) =>
    eventually(what, async () => {
      if (holds()) return true;
      clock.advance(LOOK_MS);
      return false;
    });
  const allow = (name: string, rule: string) => redis.client.call("ACL", "SETUSER", name, rule);
  const kept = async (channel: string) => [
    await redis.client.hgetall(`telltale:{${channel}}`),
    await redis.client.xrange(`telltale:{${channel}}:history`, "-", "+"),
  ];

  test("RDY-4: a node names any missing command of an append, half-writes nothing, and recovers by itself", async () => {
    const without = async (command: string) => {
      const clock = new ManualClock();
      const node = await nodeOf(command, clock);
      const channel = someAnalysis();
      await node.append({ channel, events: [status(), fault()] });
      const before = await kept(channel);
      await allow(command, `-${command}`);
      await looking(clock, `${command} is missed`, () => refusal(node) !== undefined);
      expect([command, refusal(node)]).toEqual([
        command,
        `the gateway's user at the broker lacks a permission: ${command.toUpperCase()}`,
      ]);
      await expect(node.append({ channel, events: [status()] })).rejects.toBeInstanceOf(BrokerUnavailable);
      await expect(node.declareViewers(channel, "*")).rejects.toBeInstanceOf(BrokerUnavailable);
      expect(await kept(channel)).toEqual(before);
      await allow(command, `+${command}`);
      await looking(clock, `${command} is there`, () => refusal(node) === undefined);
      expect(await node.append({ channel, events: [status()] })).toMatchObject({ firstOffset: 3 });
    };
    await Promise.all(OF_APPENDS.map(without));
  });

  test("RDY-4: a node that starts without a command of an append leaves nothing of its trials behind", async () => {
    const without = async (command: string) => {
      const clock = new ManualClock();
      const user = await userOf(command, clock);
      await allow(command, `-${command}`);
      const node = new RedisPubSub({ ...user, history: { size: 10, ttlMs: 60_000 } });
      redis.afterTest(() => node.close());
      await looking(clock, `${command} is missed`, () => refusal(node)?.includes("permission") ?? false);
      await node.close();
    };
    await Promise.all(OF_APPENDS.map(without));
    const left = () => redis.client.keys("telltale:{try:*");
    await eventually("their keys are gone", async () => (await left()).length === 0);
  });

  test("RDY-4: a node says whether it lacks keys or channels", async () => {
    const clock = new ManualClock();
    const [keys, channels] = await Promise.all([nodeOf("keyless", clock), nodeOf("channelless", clock)]);
    await redis.client.call("ACL", "SETUSER", "keyless", "resetkeys", "~other:*");
    await redis.client.call("ACL", "SETUSER", "channelless", "resetchannels", "&other:*");
    const lacks = "the gateway's user at the broker lacks a permission";
    await looking(clock, "keys are missed", () => refusal(keys) === `${lacks}: keys`);
    await looking(
      clock,
      "channels are missed",
      () => refusal(channels)?.startsWith(`${lacks}: channels`) ?? false,
    );
    await redis.client.call("ACL", "SETUSER", "keyless", "allkeys");
    await redis.client.call("ACL", "SETUSER", "channelless", "allchannels");
    for (const node of [keys, channels]) {
      await looking(clock, "it is ready", () => refusal(node) === undefined);
    }
  });

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
