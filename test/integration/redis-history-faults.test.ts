import { describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { result, status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { occurrenceKey } from "../../src/testing/occurrence-key.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { useRedis } from "../support/use-redis.ts";

/** Redis forgets, restarts, fills up, or somebody tampers with it: histories remain usable. */
describe.skipIf(!needs("redis-server"))("histories on a Redis with faults", () => {
  const redis = useRedis();

  test("a channel whose record alone was deleted loses the rest too, and begins a new epoch at 1", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    const before = await append(node, channel, 3);
    const deduplicate = {
      by: "key",
      name: "k",
      scope: "channel",
      windowMs: 300_000,
      rememberMs: 300_000,
    } as const;
    await node.append({ channel, events: [status()], deduplicate });
    await node.declareViewers(channel, new Set(["alice"]));
    await redis.client.del(`telltale:{${channel}}`);
    expect(await node.snapshot(channel)).toMatchObject({
      position: { offset: 0 },
      currentTerminal: undefined,
    });
    const after = await node.append({ channel, events: [status()], deduplicate });
    expect(after).toMatchObject({ type: "stored", firstOffset: 1 });
    expect(after).not.toMatchObject({ epoch: before.epoch });
    expect((await node.history(channel, undefined, 10)).events).toHaveLength(1);
    expect((await node.snapshot(channel)).viewers).toEqual(new Set(["alice"]));
  });

  test("a channel whose stream alone was deleted has an empty history, and its numbers go on", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    const { epoch } = await append(node, channel, 3);
    await redis.client.del(`telltale:{${channel}}:history`);
    expect(await node.history(channel, { epoch, offset: 3 }, 10)).toMatchObject({
      resumed: true,
      events: [],
    });
    expect(await node.history(channel, { epoch, offset: 2 }, 10)).toMatchObject({
      resumed: false,
      events: [],
    });
    expect(await append(node, channel, 1)).toMatchObject({ epoch, firstOffset: 4 });
    const page = await node.history(channel, { epoch, offset: 3 }, 10);
    expect(page).toMatchObject({ resumed: true, events: [{ position: { epoch, offset: 4 } }] });
  });

  test("a restart from the dump begins a new epoch at the next offset, and old positions stay good", async () => {
    const node = redis.nodes.make({ size: 4 });
    const channel = someAnalysis();
    const first = await append(node, channel, 5);
    await redis.client.save();
    await redis.restart();
    await eventually("the node is connected again", async () => node.health().status === "up");
    expect((await node.snapshot(channel)).position).toEqual({ epoch: first.epoch, offset: 5 });
    const second = await append(node, channel, 2);
    expect(second).toMatchObject({ firstOffset: 6 });
    expect(second.epoch).not.toBe(first.epoch);

    const offsetsAfter = async (epoch: string, offset: number) => {
      const page = await node.history(channel, { epoch, offset }, 100);
      return [page.resumed, ...page.events.map((event) => event.position.offset)];
    };
    expect(await offsetsAfter(first.epoch, 3)).toEqual([true, 4, 5, 6, 7]);
    expect(await offsetsAfter(first.epoch, 5)).toEqual([true, 6, 7]);
    expect((await offsetsAfter(first.epoch, 6))[0]).toBe(false);
    expect(await offsetsAfter(second.epoch, 6)).toEqual([true, 7]);
    expect((await offsetsAfter(second.epoch, 5))[0]).toBe(false);
    expect((await node.snapshot(channel)).spans).toEqual([
      { epoch: first.epoch, firstOffset: 1 },
      { epoch: second.epoch, firstOffset: 6 },
    ]);

    // Trimmed to 6…9: the last event of the first epoch is just before the oldest kept, a position still good.
    await append(node, channel, 2);
    expect(await offsetsAfter(first.epoch, 5)).toEqual([true, 6, 7, 8, 9]);
    expect((await offsetsAfter(first.epoch, 4))[0]).toBe(false);
    // Trimmed to 11…14: nothing of the first epoch is needed any more.
    await append(node, channel, 5);
    expect((await node.snapshot(channel)).spans).toEqual([{ epoch: second.epoch, firstOffset: 6 }]);
    expect(await offsetsAfter(second.epoch, 10)).toEqual([true, 11, 12, 13, 14]);
  }, 20_000);

  test("a restart from an older dump repeats no event_id", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    await append(node, channel, 2);
    await redis.client.save();
    const lost = await append(node, channel, 3);
    await redis.kill9();
    await redis.restart();
    await eventually("the node is connected again", async () => node.health().status === "up");
    const again = await append(node, channel, 3);
    expect(again.firstOffset).toBe(3);
    expect(again.epoch).not.toBe(lost.epoch);
    expect(await node.history(channel, { epoch: lost.epoch, offset: 4 }, 10)).toMatchObject({
      resumed: false,
    });
    expect(await node.history(channel, { epoch: lost.epoch, offset: 2 }, 10)).toMatchObject({
      resumed: true,
    });
  }, 20_000);

  test("a full memory refuses the append, writes half of nothing, and goes on when there is room", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    await append(node, channel, 2);
    const before = await everythingKept(redis.client);
    await redis.client.config("SET", "maxmemory", "1");
    const deduplicate = {
      by: "key",
      name: "k",
      scope: "channel",
      windowMs: 300_000,
      rememberMs: 300_000,
    } as const;
    for (const target of [channel, someAnalysis()]) {
      const refused = node.append({ channel: target, events: [status(), result()], deduplicate });
      await expect(refused).rejects.toBeInstanceOf(BrokerUnavailable);
    }
    await expect(node.declareViewers(channel, "*")).rejects.toBeInstanceOf(BrokerUnavailable);
    // Reads go on: nothing is away.
    expect((await node.snapshot(channel)).position.offset).toBe(2);
    expect(node.health().status).toBe("up");
    await redis.client.config("SET", "maxmemory", "0");
    expect(await everythingKept(redis.client)).toEqual(before);
    expect(await node.append({ channel, events: [status()], deduplicate })).toMatchObject({ firstOffset: 3 });
  });

  test("every call refuses a record of a newer format and keeps it as it is", async () => {
    const telemetry = new CollectingTelemetry();
    const node = redis.nodes.make({ telemetry });
    const channel = someAnalysis();
    await append(node, channel, 1);
    await redis.client.hset(`telltale:{${channel}}`, "format", "9");
    const before = await everythingKept(redis.client);
    await expect(node.append({ channel, events: [status()] })).rejects.toMatchObject({
      code: "newer_format",
    });
    await expect(node.snapshot(channel)).rejects.toMatchObject({ code: "newer_format" });
    await expect(node.history(channel, undefined, 1)).rejects.toMatchObject({ code: "newer_format" });
    expect(await everythingKept(redis.client)).toEqual(before);
    expect(node.health()).toMatchObject({ status: "down", cause: "newer_format" });
    expect(telemetry.logs.filter(({ fields }) => fields.cause === "newer_format")).toMatchObject([
      { level: "warn", fields: { detail: expect.stringContaining("format 9") } },
    ]);
  });

  test("an eviction policy that would lose histories is a warning", async () => {
    await redis.client.config("SET", "maxmemory-policy", "volatile-lru");
    const telemetry = new CollectingTelemetry();
    const node = redis.nodes.make({ telemetry });
    await eventually("the warning is there", async () => node.health().warnings.length === 1);
    expect(node.health().warnings[0]).toContain("maxmemory-policy volatile-lru");
    expect(telemetry.logs).toContainEqual({ level: "warn", message: node.health().warnings[0]!, fields: {} });
    await redis.client.config("SET", "maxmemory-policy", "noeviction");
  });

  test("a node goes on after SCRIPT FLUSH as if nothing had happened", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    await append(node, channel, 1);
    await redis.client.script("FLUSH");
    expect(await append(node, channel, 1)).toMatchObject({ firstOffset: 2 });
    expect((await node.snapshot(channel)).position.offset).toBe(2);
  });

  test("every key lives no longer than the history", async () => {
    await redis.client.flushall();
    const node = redis.nodes.make({ ttlMs: 60_000 });
    const channel = someAnalysis();
    const deduplicate = occurrenceKey("x", {}, { rememberMs: 30_000 });
    await node.append({ channel, events: [status(), result()], deduplicate });
    await node.declareViewers(channel, "*");
    const keys = await keysOfChannels(redis.client);
    expect(keys).toHaveLength(4);
    for (const key of keys) {
      expect(key).toStartWith(`telltale:{${channel}}`);
      const left = await redis.client.pttl(key);
      expect(left).toBeGreaterThan(20_000);
      expect(left).toBeLessThanOrEqual(60_000);
    }
  });
});

async function append(node: PubSubPort, channel: ReturnType<typeof someAnalysis>, count: number) {
  const outcome = await node.append({ channel, events: Array.from({ length: count }, () => status()) });
  if (outcome.type !== "stored") throw new Error(outcome.type);
  return outcome;
}

/** The keys of all channels but those on which nodes try whether an append would be stored. */
async function keysOfChannels(admin: Redis): Promise<string[]> {
  return (await admin.keys("*")).filter((key) => !key.startsWith("telltale:{try:"));
}

/** Every key with its value. */
async function everythingKept(admin: Redis): Promise<Record<string, unknown>> {
  const kept: Record<string, unknown> = {};
  for (const key of (await keysOfChannels(admin)).sort()) {
    const type = await admin.type(key);
    if (type === "hash") kept[key] = await admin.hgetall(key);
    else if (type === "stream") kept[key] = await admin.xrange(key, "-", "+");
    else kept[key] = await admin.get(key);
  }
  return kept;
}
