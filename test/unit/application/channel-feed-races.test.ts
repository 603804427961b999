import { describe, expect, test } from "bun:test";
import { latestEvents } from "../../../src/domain/latest-state.ts";
import { completed, result, status } from "../../../src/testing/encoded-events.ts";
import { Watcher } from "../../support/watcher.ts";
import { feedBench } from "./feed-bench.ts";
import { everyWay } from "./instants.ts";

/** Subscribe and snapshot, each carried out and then answered; a resync is history and snapshot. */
const STEPS = 4;

describe("ID-3: an event published at any instant is delivered exactly once", () => {
  test.each([
    // With what a late joiner starts with after none, one, two and three of them.
    ["statuses", [status(), status(), status()], [[], [1], [2], [3]]],
    ["a result, reopened", [status(), result(), status()], [[], [1], [1, 2], [3]]],
    ["a result, then completed", [result(), completed()], [[], [1], [1, 2]]],
  ])("while a feed opens: %s", async (_, events, latest) => {
    const possible = latest.map((replay, known) =>
      [...replay, ...[1, 2, 3].slice(known, events.length)].join(),
    );
    const seen = new Set<string>();
    for (const way of everyWay(events.length, STEPS)) {
      const bench = feedBench();
      bench.pubSub.holdsCalls = true;
      let watcher: Watcher | undefined;
      void bench.feed.open().then(() => {
        watcher = bench.watch();
      });
      await bench.race(STEPS, events, way, 0);
      await bench.settle();
      seen.add(watcher?.wire.offsets.join() ?? "");
      expect(bench.watch().wire.offsets).toEqual(latest[events.length] as number[]);
    }
    expect([...seen].sort()).toEqual([...new Set(possible)].sort());
  });

  test("while a feed reads again what it missed", async () => {
    const events = [result(), status()];
    for (const way of everyWay(events.length, STEPS)) {
      const bench = feedBench();
      await bench.publish();
      await bench.feed.open();
      const watcher = bench.watch();
      bench.pubSub.breakLink();
      await bench.publishMany(2);
      bench.pubSub.holdsCalls = true;
      bench.pubSub.restoreLink();
      await bench.race(STEPS, events, way, 3);
      await bench.settle();
      expect(watcher.wire.offsets).toEqual([1, 2, 3, 4, 5]);
    }
  });

  test.each([
    ["for a watcher that began with the latest state", "latest"],
    ["for a watcher that began with the whole history", "all"],
  ] as const)("while a feed starts afresh on a history that was lost, %s", async (_, replay) => {
    const replaysAll = replay === "all";
    const events = [status(), status()];
    // A watcher that asked for the whole history costs one more read of it.
    const steps = replaysAll ? STEPS + 2 : STEPS;
    for (const way of everyWay(events.length, steps)) {
      const bench = feedBench();
      await bench.publishMany(7);
      await bench.feed.open();
      const watcher = new Watcher(bench.feed, { mode: replay }).begin({
        replay: latestEvents(bench.feed.latest),
      });
      bench.broker.loseEverything();
      bench.pubSub.holdsCalls = true;
      await bench.publish();
      await bench.race(steps, events, way, 1);
      await bench.settle();
      const { messages, types } = watcher.wire;
      expect(types.filter((type) => type === "connection_established")).toHaveLength(1);
      const afresh = messages.slice(types.indexOf("connection_established") + 1);
      const offsets = afresh.map(({ event_id }) => Number(event_id?.split("-")[1]));
      expect([1, 2, 3].slice(replaysAll ? 0 : -offsets.length)).toEqual(offsets);
      expect(offsets.length).toBeGreaterThan(0);
    }
  });
});
