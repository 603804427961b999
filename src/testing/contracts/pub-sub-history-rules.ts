import { expect, test } from "bun:test";
import type { DeduplicationKey } from "../../application/ports/deduplication-key.ts";
import type { ChannelPosition } from "../../application/ports/pub-sub-port.ts";
import { type HistoryPage, PAGE_BYTES } from "../../application/ports/pub-sub-port.ts";
import { status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import { inTime } from "./in-time.ts";
import { epochOf } from "./pub-sub-append-rules.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

const MEBIBYTE = 1024 * 1024;

export function historyRules({ node, broker }: PubSubRuleContext): void {
  test("PS-19 pages follow each other without a gap", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const epoch = epochOf(
      await publisher.append({ channel, events: Array.from({ length: 10 }, () => status()) }),
    );
    const page = (offset: number, limit: number) => publisher.history(channel, { epoch, offset }, limit);
    expect(seen(await publisher.history(channel, undefined, 4))).toEqual([true, 1, 2, 3, 4]);
    expect(seen(await page(4, 4))).toEqual([true, 5, 6, 7, 8]);
    expect(seen(await page(8, 4))).toEqual([true, 9, 10]);
    expect(seen(await page(10, 4))).toEqual([true]);
    expect((await page(10, 4)).position).toEqual({ epoch, offset: 10 });
    expect(seen(await publisher.history(channel, { epoch: "", offset: 0 }, 2))).toEqual([true, 1, 2]);
  });

  test("BUD-2 a page holds at most a mebibyte of texts, always an event, and says whether more follows", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    // A mebibyte each, then some that share a page, then one that leaves no room for the next.
    const sizes = [
      ...Array(4).fill(MEBIBYTE - 200),
      ...Array(5).fill(300_000),
      ...Array(40).fill(10),
      MEBIBYTE - 200,
    ];
    for (const size of sizes)
      await publisher.append({ channel, events: [status({ note: "ü".repeat(size / 2) })] });
    const pages: number[][] = [];
    let after: HistoryPage["position"] | undefined;
    for (let more = true; more; ) {
      const page = await publisher.history(channel, after, 1_000);
      pages.push(page.events.map(({ position }) => position.offset));
      const bytes = page.events.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
      expect(page.events.length === 1 || bytes <= PAGE_BYTES).toBe(true);
      after = page.events.at(-1)?.position;
      more = page.more;
      expect(more).toBe(after?.offset !== sizes.length);
    }
    expect(pages.flat()).toEqual(sizes.map((_, index) => index + 1));
    expect(pages.slice(0, 5)).toEqual([[1], [2], [3], [4], [5, 6, 7]]);
    expect(pages.length).toBeLessThanOrEqual(8);
  });

  test("BUD-2 a page that ends by its limit, at the end, or before anything else says so", async () => {
    const publisher = await node({ size: 3 });
    const channel = someAnalysis();
    const epoch = epochOf(await publisher.append({ channel, events: [status(), status(), status()] }));
    const more = async (offset: number, limit: number) =>
      (await publisher.history(channel, { epoch, offset }, limit)).more;
    expect(await Promise.all([more(0, 2), more(1, 2), more(1, 1), more(3, 1), more(9, 2)])).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
    expect((await publisher.history(channel, undefined, 3)).more).toBe(false);
  });

  test("PS-24 viewers() gives the declared viewers, and undefined if nobody declared any", async () => {
    const [publisher, reader] = [await node(), await node()];
    const channel = someAnalysis();
    expect(await reader.viewers(channel)).toBeUndefined();
    await publisher.declareViewers(channel, new Set(["alice", "ünal"]));
    expect(await reader.viewers(channel)).toEqual(new Set(["alice", "ünal"]));
    await publisher.declareViewers(channel, "*");
    expect(await reader.viewers(channel)).toBe("*");
    await publisher.declareViewers(channel, new Set());
    expect(await reader.viewers(channel)).toEqual(new Set());
  });

  test("PS-20 an unknown channel keeps nothing: only the beginning is a good position", async () => {
    const reader = await node();
    const channel = someAnalysis();
    const nothing = {
      events: [],
      more: false,
      position: { epoch: "", offset: 0 },
      kept: { oldestKept: 1, newest: 0, spans: [] },
    };
    expect(await reader.history(channel, undefined, 10)).toEqual({ resumed: true, ...nothing });
    expect(await reader.history(channel, { epoch: "", offset: 0 }, 10)).toEqual({
      resumed: true,
      ...nothing,
    });
    expect(await reader.history(channel, { epoch: "e", offset: 1 }, 10)).toEqual({
      resumed: false,
      ...nothing,
    });
  });

  test("PS-26 a page says what is kept, so that any position can be judged as of then", async () => {
    const publisher = await node({ size: 3 });
    const channel = someAnalysis();
    for (let sent = 0; sent < 9; sent++) await publisher.append({ channel, events: [status()] });
    const page = await publisher.history(channel, undefined, 2);
    const { epoch } = page.position;
    const oldestKept = page.events[0]?.position.offset ?? 0;
    expect(page.kept).toEqual({ oldestKept, newest: 9, spans: [{ epoch, firstOffset: 1 }] });
  });

  test("PS-27 positions() gives the last position of each channel and its lineage, in the order asked", async () => {
    const publisher = await node();
    const [one, unknown, two] = [someAnalysis(), someAnalysis(), someAnalysis()];
    await publisher.append({ channel: one, events: [status(), status()] });
    await publisher.append({ channel: two, events: [status()] });
    const positions = await publisher.positions([one, unknown, two]);
    expect(positions.map((one) => one && { epoch: one.epoch, offset: one.offset })).toEqual([
      (await publisher.snapshot(one)).position,
      { epoch: "", offset: 0 },
      (await publisher.snapshot(two)).position,
    ]);
    expect(positions[0]?.lineage).toMatch(/./);
    // As long as nothing happens to the broker, a channel stays on its lineage.
    const again = await publisher.positions([two, one]);
    expect(again.map(withoutClock)).toEqual([positions[2], positions[0]].map(withoutClock));
    expect(await publisher.positions([])).toEqual([]);
  });

  test("PS-20 a position of another epoch, or beyond the newest, is gone", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const epoch = epochOf(await publisher.append({ channel, events: [status(), status()] }));
    expect(seen(await publisher.history(channel, { epoch: "0123456789", offset: 1 }, 10))).toEqual([
      false,
      1,
      2,
    ]);
    expect(seen(await publisher.history(channel, { epoch, offset: 3 }, 10))).toEqual([false, 1, 2]);
  });

  test("PS-20 a position is good up to the one just before the oldest kept, and gone below", async () => {
    const publisher = await node({ size: 3 });
    const channel = someAnalysis();
    const epoch = epochOf(
      await publisher.append({ channel, events: Array.from({ length: 20 }, () => status()) }),
    );
    const kept = (await publisher.history(channel, undefined, 100)).events;
    const oldest = kept[0]!.position.offset;
    const all = kept.map((event) => event.position.offset);
    expect(seen(await publisher.history(channel, { epoch, offset: oldest - 1 }, 100))).toEqual([
      true,
      ...all,
    ]);
    expect(seen(await publisher.history(channel, { epoch, offset: oldest - 2 }, 100))).toEqual([
      false,
      ...all,
    ]);
    expect(seen(await publisher.history(channel, { epoch: "", offset: 0 }, 100))).toEqual([false, ...all]);
  });

  test("PS-21 the history never has fewer than N of the newest, nor more than N + min(N, 200)", async () => {
    const publisher = await node({ size: 10 });
    const channel = someAnalysis();
    for (let batch = 1, newest = 0; batch <= 60; batch++) {
      const events = Array.from({ length: 1 + (batch % 4) }, () => status());
      newest += events.length;
      await publisher.append({ channel, events });
      const kept = (await publisher.history(channel, undefined, 1_000)).events;
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(newest, 10));
      expect(kept.length).toBeLessThanOrEqual(20);
      expect(kept.at(-1)?.position.offset).toBe(newest);
    }
  });

  test("PS-21 above 200 the margin is 200", async () => {
    const publisher = await node({ size: 300 });
    const channel = someAnalysis();
    for (let batch = 0; batch < 6; batch++) {
      await publisher.append({ channel, events: Array.from({ length: 100 }, () => status()) });
      const kept = (await publisher.history(channel, undefined, 1_000)).events.length;
      expect(kept).toBe([100, 200, 300, 400, 500, 300][batch]!);
    }
  });

  test("PS-22 a broker that lost everything begins a new epoch at 1, and old positions are gone", async () => {
    const [publisher, reader] = [await node(), await node()];
    const channel = someAnalysis();
    const key: DeduplicationKey = {
      by: "key",
      name: "k",
      scope: "channel",
      windowMs: 300_000,
      rememberMs: 300_000,
    };
    const before = epochOf(
      await publisher.append({ channel, events: [status(), status()], deduplicate: key }),
    );
    await broker().loseEverything();
    expect((await reader.snapshot(channel)).position).toEqual({ epoch: "", offset: 0 });
    const again = await publisher.append({ channel, events: [status()], deduplicate: key });
    expect(again).toMatchObject({ type: "stored", firstOffset: 1 });
    expect(epochOf(again)).not.toBe(before);
    expect(seen(await reader.history(channel, { epoch: before, offset: 1 }, 10))).toEqual([false, 1]);
    expect((await reader.snapshot(channel)).spans).toEqual([{ epoch: epochOf(again), firstOffset: 1 }]);
  });

  test("PS-23 a channel is kept for its time to live from its last event, then begins anew", () =>
    inTime(640, async () => {
      const publisher = await node({ ttlMs: 400 });
      const channel = someAnalysis();
      const epoch = epochOf(await publisher.append({ channel, events: [status()] }));
      await broker().elapse(250);
      await publisher.append({ channel, events: [status()] });
      await broker().elapse(250);
      expect(seen(await publisher.history(channel, { epoch, offset: 1 }, 10))).toEqual([true, 2]);
      await broker().elapse(250);
      expect((await publisher.snapshot(channel)).heardAt).toBeUndefined();
      expect(seen(await publisher.history(channel, { epoch, offset: 1 }, 10))).toEqual([false]);
      const again = await publisher.append({ channel, events: [status()] });
      expect(again).toMatchObject({ type: "stored", firstOffset: 1 });
      expect(epochOf(again)).not.toBe(epoch);
    }));
}

function seen(page: HistoryPage): (boolean | number)[] {
  return [page.resumed, ...page.events.map((event) => event.position.offset)];
}

function withoutClock(position: ChannelPosition | undefined) {
  return position && { epoch: position.epoch, offset: position.offset, lineage: position.lineage };
}
