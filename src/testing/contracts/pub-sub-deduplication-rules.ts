import { expect, test } from "bun:test";
import type { DeduplicationKey } from "../../application/ports/deduplication-key.ts";
import type { AppendOutcome } from "../../application/ports/pub-sub-port.ts";
import { CollectingSubscriber } from "../collecting-subscriber.ts";
import { notice, result, status } from "../encoded-events.ts";
import { occurrenceKey } from "../occurrence-key.ts";
import { someAnalysis } from "../some-analysis.ts";
import { inTime } from "./in-time.ts";
import type { PubSubCapabilities, PubSubRuleContext } from "./pub-sub-under-test.ts";

export function deduplicationRules(
  { node, broker }: PubSubRuleContext,
  { occurrences }: PubSubCapabilities,
): void {
  const kinds: [kind: string, deduplicate: DeduplicationKey][] = [["key", key("same")]];
  if (occurrences) kinds.push(["occurrence", occurrenceKey("same bytes")]);

  test("PS-9 a repeated key answers the first positions on any node, and stores nothing", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await one.subscribe(channel, heard);
    await one.append({ channel, events: [status()] });
    const deduplicate = key("try-1");
    const first = await one.append({ channel, events: [status(), status()], deduplicate });
    expect(first).toMatchObject({ type: "stored", firstOffset: 2, count: 2 });
    await one.append({ channel, events: [status()] });
    expect(await two.append({ channel, events: [result()], deduplicate })).toEqual(duplicateOf(first));
    await one.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length >= 5);
    expect(heard.offsets).toEqual([1, 2, 3, 4, 5]);
  });

  test.each(kinds)("PS-9 one of many at once with the same %s is stored", async (_, deduplicate) => {
    const nodes = [await node(), await node()];
    const channel = someAnalysis();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        nodes[n % 2]!.append({ channel, events: [status()], deduplicate }),
      ),
    );
    expect(outcomes.filter(({ type }) => type === "stored")).toHaveLength(1);
    expect(outcomes.filter(({ type }) => type === "duplicate")).toHaveLength(19);
    expect((await nodes[0]!.snapshot(channel)).position.offset).toBe(1);
  });

  test("PS-9 a key is known though its event was trimmed, and its attempt superseded", async () => {
    const publisher = await node({ size: 2 });
    const channel = someAnalysis();
    const request = { channel, events: [status({ attemptId: "a" })], deduplicate: key("k") };
    const first = await publisher.append(request);
    for (let n = 0; n < 10; n++) await publisher.append({ channel, events: [status({ attemptId: "b" })] });
    expect(await publisher.append(request)).toEqual(duplicateOf(first));
  });

  test("PS-10 outside its window a key is a new request, which then is the one remembered", () =>
    inTime(300, async () => {
      const publisher = await node();
      const channel = someAnalysis();
      const deduplicate = { ...key("k"), windowMs: 100, rememberMs: 400 };
      await publisher.append({ channel, events: [status()], deduplicate });
      await broker().elapse(200);
      const second = await publisher.append({ channel, events: [status()], deduplicate });
      expect(second).toMatchObject({ type: "stored", firstOffset: 2 });
      expect(await publisher.append({ channel, events: [status()], deduplicate })).toMatchObject({
        type: "duplicate",
        firstOffset: 2,
      });
    }));

  test("PS-10 a key that is remembered longer than one window is found by a wider one, until it is forgotten", () =>
    inTime(390, async () => {
      const publisher = await node();
      const channel = someAnalysis();
      const deduplicate = { ...key("bytes"), windowMs: 50, rememberMs: 400 };
      await publisher.append({ channel, events: [status()], deduplicate });
      await broker().elapse(100);
      const wider = { ...deduplicate, windowMs: 60_000 };
      expect(await publisher.append({ channel, events: [status()], deduplicate: wider })).toMatchObject({
        type: "duplicate",
      });
      await broker().elapse(500);
      expect(await publisher.append({ channel, events: [status()], deduplicate: wider })).toMatchObject({
        type: "stored",
        firstOffset: 2,
      });
    }));

  test("PS-10 the same name on another channel or as another kind of key is a request of its own", async () => {
    const publisher = await node();
    const [channel, other] = [someAnalysis(), someAnalysis()];
    await publisher.append({ channel, events: [status()], deduplicate: key("k") });
    expect(
      await publisher.append({ channel: other, events: [status()], deduplicate: key("k") }),
    ).toMatchObject({
      type: "stored",
      firstOffset: 1,
    });
    if (!occurrences) return;
    expect(
      await publisher.append({ channel, events: [status()], deduplicate: occurrenceKey("k") }),
    ).toMatchObject({
      type: "stored",
      firstOffset: 2,
    });
  });

  test("PS-10 a refused request is not remembered", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [result({ attemptId: "a" })] });
    const deduplicate = key("k");
    await publisher.append({ channel, events: [status({ attemptId: "a" })], deduplicate });
    expect(
      await publisher.append({ channel, events: [status({ attemptId: "b" })], deduplicate }),
    ).toMatchObject({
      type: "stored",
      firstOffset: 2,
    });
  });

  test("PS-11 a key of one notice channel is known on every other", async () => {
    const publisher = await node();
    const deduplicate = { ...key("k"), scope: "notices" as const };
    const first = await publisher.append({ channel: "user:alice", events: [notice()], deduplicate });
    expect(first).toMatchObject({ type: "stored" });
    expect(await publisher.append({ channel: "system:updates", events: [notice()], deduplicate })).toEqual(
      duplicateOf(first),
    );
    expect(await publisher.append({ channel: "user:bob", events: [notice()], deduplicate })).toMatchObject({
      type: "duplicate",
    });
    expect((await publisher.history("user:bob", undefined, 10)).events).toEqual([]);
  });

  test.each(kinds)("PS-12 a duplicate %s renews when the worker was last heard", async (_, deduplicate) => {
    const publisher = await node();
    const channel = someAnalysis();
    const request = { channel, events: [status()], deduplicate };
    await publisher.append(request);
    const before = (await publisher.snapshot(channel)).heardAt;
    await broker().elapse(50);
    await publisher.append(request);
    const after = (await publisher.snapshot(channel)).heardAt;
    expect(after! - before!).toBeGreaterThanOrEqual(50);
  });
}

function key(name: string): DeduplicationKey {
  return { by: "key", name, scope: "channel", windowMs: 300_000, rememberMs: 300_000 };
}

export function duplicateOf(first: AppendOutcome): AppendOutcome {
  if (first.type === "refused") throw new Error("refused at first");
  return { ...first, type: "duplicate" };
}
