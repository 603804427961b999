import { expect, test } from "bun:test";
import type { DeduplicationKey } from "../../application/ports/pub-sub-port.ts";
import { result, status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import { duplicateOf } from "./pub-sub-deduplication-rules.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

export function entryRules({ node, broker }: PubSubRuleContext): void {
  test("PS-28 an inbox entry taken twice, or by two nodes, is stored once", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    await one.append({ channel, events: [status()] });
    const request = { channel, events: [status(), status()], seen: entry("1764000000000-0") };
    const first = await one.append(request);
    expect(first).toMatchObject({ type: "stored", firstOffset: 2, count: 2 });
    await one.append({ channel, events: [status()] });
    expect(await two.append(request)).toEqual(duplicateOf(first));
    expect((await two.snapshot(channel)).position.offset).toBe(4);
  });

  test("PS-28 of an entry taken at once by many one is stored", async () => {
    const nodes = [await node(), await node()];
    const channel = someAnalysis();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        nodes[n % 2]!.append({ channel, events: [status()], seen: entry("7-7") }),
      ),
    );
    expect(outcomes.filter(({ type }) => type === "stored")).toHaveLength(1);
    expect((await nodes[0]!.snapshot(channel)).position.offset).toBe(1);
  });

  const order = ["0-1", "0-2", "0-10", "9-0", "10-0", "10-18446744073709551615", "11-0", "1764000000000-0"];
  test(`PS-28 an earlier entry was seen, a later one is new: ${order.join(" < ")}`, async () => {
    const publisher = await node();
    const channel = someAnalysis();
    for (const [index, id] of order.entries()) {
      const stored = await publisher.append({ channel, events: [status()], seen: entry(id) });
      expect([id, stored]).toMatchObject([id, { type: "stored", firstOffset: index + 1 }]);
      for (const earlier of order.slice(0, index + 1)) {
        const again = await publisher.append({ channel, events: [result()], seen: entry(earlier) });
        expect([id, earlier, again]).toEqual([id, earlier, duplicateOf(stored)]);
      }
    }
  });

  test("PS-28 each channel has a last entry of its own, beside keys and contents", async () => {
    const publisher = await node();
    const [channel, other] = [someAnalysis(), someAnalysis()];
    const append = (to: typeof channel, seen: DeduplicationKey) =>
      publisher.append({ channel: to, events: [status()], seen });
    await append(channel, entry("5-0"));
    expect(await append(other, entry("4-0"))).toMatchObject({ type: "stored", firstOffset: 1 });
    const key = { lane: "key", name: "5-0", scope: "channel", windowMs: 9_000, rememberMs: 9_000 } as const;
    expect(await append(channel, key)).toMatchObject({ type: "stored", firstOffset: 2 });
    expect(await append(channel, entry("5-0"))).toMatchObject({ type: "duplicate", firstOffset: 1 });
    expect(await append(channel, entry("5-1"))).toMatchObject({ type: "stored", firstOffset: 3 });
  });

  test("PS-28 an entry whose events are refused is not remembered", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const append = (attemptId: string, id: string) =>
      publisher.append({ channel, events: [result({ attemptId })], seen: entry(id) });
    await append("a", "1-0");
    expect(await append("a", "3-0")).toMatchObject({ type: "refused" });
    expect(await append("b", "2-0")).toMatchObject({ type: "stored", firstOffset: 2 });
    expect(await append("c", "3-0")).toMatchObject({ type: "stored", firstOffset: 3 });
  });

  test("PS-28 trimming leaves the last entry alone, losing the counter takes it away", async () => {
    const publisher = await node({ size: 2 });
    const channel = someAnalysis();
    const request = { channel, events: [status()], seen: entry("5-0") };
    const first = await publisher.append(request);
    for (let n = 0; n < 10; n++) await publisher.append({ channel, events: [status()] });
    expect(await publisher.append(request)).toEqual(duplicateOf(first));
    await broker().loseEverything();
    expect(await publisher.append(request)).toMatchObject({ type: "stored", firstOffset: 1 });
  });
}

function entry(id: string): DeduplicationKey {
  return { lane: "entry", id };
}
