import { expect, test } from "bun:test";
import type { DeduplicationKey } from "../../application/ports/deduplication-key.ts";
import { result, status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import { duplicateOf } from "./pub-sub-deduplication-rules.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

/** `ids`: some ids of entries in the order of the broker's inbox, at least six of them. */
export function entryRules({ node, broker }: PubSubRuleContext, ids: readonly string[]): void {
  const [early = "", before = "", middle = "", after = "", late = "", last = ""] = ids;

  test("PS-28 an inbox entry taken twice, or by two nodes, is stored once", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    await one.append({ channel, events: [status()] });
    const request = { channel, events: [status(), status()], deduplicate: entry(last) };
    const first = await one.append(request);
    expect(first).toMatchObject({ type: "stored", firstOffset: 2, count: 2 });
    await one.append({ channel, events: [status()] });
    expect(await two.append(request)).toEqual(duplicateOf(first));
    expect((await two.snapshot(channel)).position.offset).toBe(4);
  });

  test("PS-28 an entry taken by many at once is stored once", async () => {
    const nodes = [await node(), await node()];
    const channel = someAnalysis();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        nodes[n % 2]!.append({ channel, events: [status()], deduplicate: entry(early) }),
      ),
    );
    expect(outcomes.filter(({ type }) => type === "stored")).toHaveLength(1);
    expect((await nodes[0]!.snapshot(channel)).position.offset).toBe(1);
  });

  test(`PS-28 an earlier entry is a duplicate, a later one is new: ${ids.join(" < ")}`, async () => {
    const publisher = await node();
    const channel = someAnalysis();
    for (const [index, id] of ids.entries()) {
      const stored = await publisher.append({ channel, events: [status()], deduplicate: entry(id) });
      expect([id, stored]).toMatchObject([id, { type: "stored", firstOffset: index + 1 }]);
      for (const earlier of ids.slice(0, index + 1)) {
        const again = await publisher.append({ channel, events: [result()], deduplicate: entry(earlier) });
        expect([id, earlier, again]).toEqual([id, earlier, duplicateOf(stored)]);
      }
    }
  });

  test("PS-28 each channel has a last entry of its own, beside keys and contents", async () => {
    const publisher = await node();
    const [channel, other] = [someAnalysis(), someAnalysis()];
    const append = (to: typeof channel, deduplicate: DeduplicationKey) =>
      publisher.append({ channel: to, events: [status()], deduplicate });
    await append(channel, entry(middle));
    expect(await append(other, entry(before))).toMatchObject({ type: "stored", firstOffset: 1 });
    const key = { by: "key", name: middle, scope: "channel", windowMs: 9_000, rememberMs: 9_000 } as const;
    expect(await append(channel, key)).toMatchObject({ type: "stored", firstOffset: 2 });
    expect(await append(channel, entry(middle))).toMatchObject({ type: "duplicate", firstOffset: 1 });
    expect(await append(channel, entry(after))).toMatchObject({ type: "stored", firstOffset: 3 });
  });

  test("PS-28 an entry whose events are refused is not remembered", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const append = (attemptId: string, id: string) =>
      publisher.append({ channel, events: [result({ attemptId })], deduplicate: entry(id) });
    await append("a", early);
    expect(await append("a", late)).toMatchObject({ type: "refused" });
    expect(await append("b", middle)).toMatchObject({ type: "stored", firstOffset: 2 });
    expect(await append("c", late)).toMatchObject({ type: "stored", firstOffset: 3 });
  });

  test("PS-28 PS-29 a later entry appended in the same turn is stored, and an earlier one is its duplicate", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const outcomes = await Promise.all(
      [before, late, early].map((id) =>
        publisher.append({ channel, events: [status()], deduplicate: entry(id) }),
      ),
    );
    expect(outcomes).toMatchObject([
      { type: "stored", firstOffset: 1 },
      { type: "stored", firstOffset: 2 },
      { type: "duplicate", firstOffset: 2 },
    ]);
  });

  test("PS-28 trimming leaves the last entry alone, losing the counter takes it away", async () => {
    const publisher = await node({ size: 2 });
    const channel = someAnalysis();
    const request = { channel, events: [status()], deduplicate: entry(middle) };
    const first = await publisher.append(request);
    for (let n = 0; n < 10; n++) await publisher.append({ channel, events: [status()] });
    expect(await publisher.append(request)).toEqual(duplicateOf(first));
    await broker().loseEverything();
    expect(await publisher.append(request)).toMatchObject({ type: "stored", firstOffset: 1 });
  });
}

function entry(id: string): DeduplicationKey {
  return { by: "entry", id };
}
