import { describe, expect, test } from "bun:test";
import type { DeduplicationKey } from "../../src/application/ports/deduplication-key.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { cancelled, dataResult, status } from "../../src/testing/encoded-events.ts";
import { occurrenceKey } from "../../src/testing/occurrence-key.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { useRedis } from "../support/use-redis.ts";

const NAMED = { by: "key", scope: "channel", name: "k", windowMs: 300_000, rememberMs: 300_000 } as const;
const KEYS: readonly (readonly [string, DeduplicationKey])[] = [
  ["an idempotency key", NAMED],
  ["a bare message", occurrenceKey("c")],
];

/** Two formats of channels: the names of deduplication keys hold the channel's incarnation, or their values do. */
describe.skipIf(!needs("redis-server"))("the formats of channels on Redis", () => {
  const redis = useRedis();

  const recordOf = (channel: AnalysisChannel) => `telltale:{${channel}}`;
  const seenOf = (channel: AnalysisChannel) => redis.client.keys(`telltale:{${channel}}:seen:*`);
  const nodeAndChannel = () => ({ node: redis.nodes.make(), channel: someAnalysis() });

  test.each(KEYS)(
    "a new channel is one that former gateways know, and keeps %s where they look for it",
    async (_, deduplicate) => {
      const { node, channel } = nodeAndChannel();
      await node.append({ channel, events: [status()], deduplicate });
      const [format, incarnation] = await redis.client.hmget(recordOf(channel), "format", "birth");
      expect(format).toBe("1");
      const [seen = ""] = await seenOf(channel);
      expect(seen).toStartWith(`${recordOf(channel)}:seen:${incarnation}:`);
      // The value as they write it.
      expect(await redis.client.get(seen)).toMatch(/^\w+ 1 1 \d+( |$)/);
    },
  );

  test("EV-22: events of later kinds are stored under flags that former gateways know", async () => {
    const { node, channel } = nodeAndChannel();
    await node.append({ channel, events: [status(), cancelled(), status(), dataResult()] });
    const stored = await redis.client.xrange(`${recordOf(channel)}:history`, "-", "+");
    expect(stored.map(([, [flag]]) => flag)).toEqual(["s", "f", "S", "t"]);
    const terminal = await redis.client.hget(recordOf(channel), "terminal");
    expect(terminal).toStartWith('t{"event_id":"');
    const { events } = await node.history(channel, undefined, 10);
    expect(events.map(({ kind }) => kind)).toEqual(["status", "status_cancelled", "status", "data_result"]);
    expect((await node.snapshot(channel)).currentTerminal).toEqual(events.at(-1));
  });

  test.each(KEYS)(
    "in a channel of the second format %s is recognised by a declared key",
    async (_, deduplicate) => {
      const { node, channel } = nodeAndChannel();
      await node.append({ channel, events: [status()] });
      await redis.client.hset(recordOf(channel), "format", "2");
      const stored = await node.append({ channel, events: [status()], deduplicate });
      expect(stored).toMatchObject({ type: "stored", firstOffset: 2 });
      const repeated = await node.append({ channel, events: [status()], deduplicate });
      expect(repeated).toMatchObject({ type: "duplicate", firstOffset: 2 });
      const incarnation = await redis.client.hget(recordOf(channel), "birth");
      const [seen = "", ...others] = await seenOf(channel);
      expect(others).toEqual([]);
      expect(seen).not.toContain(`${incarnation}`);
      expect(await redis.client.get(seen)).toStartWith(`${incarnation} `);
    },
  );

  test.each(KEYS)(
    "in a channel of the second format %s is forgotten with the counter",
    async (_, deduplicate) => {
      const { node, channel } = nodeAndChannel();
      await node.append({ channel, events: [status()] });
      await redis.client.hset(recordOf(channel), "format", "2");
      await node.append({ channel, events: [status()], deduplicate });
      const [seen = ""] = await seenOf(channel);
      const before = await redis.client.get(seen);
      await redis.client.del(recordOf(channel));
      await node.append({ channel, events: [status()] });
      await redis.client.hset(recordOf(channel), "format", "2");
      expect(await redis.client.get(seen)).toBe(before);
      const stored = await node.append({ channel, events: [status()], deduplicate });
      expect(stored).toMatchObject({ type: "stored", firstOffset: 2 });
      expect(await node.append({ channel, events: [status()], deduplicate })).toMatchObject({
        type: "duplicate",
      });
    },
  );

  const REQUEST = { requested_at: "2026-11-28T10:00:00.000Z", user_id: null, reason: null };

  test("CAN-9: on a channel that a former gateway began or reopened, requests are judged by its timeline", async () => {
    const { node, channel } = nodeAndChannel();
    const cancelNow = async () => (await node.snapshot(channel)).cancel;
    await node.append({ channel, events: [status(), status({ attemptId: "a" }), status({ stage: "s" })] });
    const run = (await redis.client.hget(recordOf(channel), "run")) ?? "";
    expect(run).toBe("2 2");
    await node.requestCancel(channel, REQUEST);
    await redis.client.hdel(recordOf(channel), "run");
    expect(await cancelNow()).toEqual(REQUEST);
    await node.append({ channel, events: [status({ stage: "t" })] });
    expect(await redis.client.hget(recordOf(channel), "run")).toBe("2 2");
    await node.append({ channel, events: [status({ attemptId: "b" })] });
    expect(await cancelNow()).toBeUndefined();
    // A former gateway reopened it, and left the field as it was.
    await redis.client.hset(recordOf(channel), "run", run);
    expect(await cancelNow()).toBeUndefined();
    // A request as a former gateway kept it.
    await redis.client.set(`${recordOf(channel)}:cancel`, `5 ${JSON.stringify(REQUEST)}`);
    expect(await cancelNow()).toEqual(REQUEST);
    expect(await node.append({ channel, events: [status()] })).toMatchObject({ cancelRequested: true });
  });
});
