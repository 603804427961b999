import { describe, expect, test } from "bun:test";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { watchBench } from "./watch-bench.ts";

describe("many watchers of one analysis that come back at once", () => {
  test("RES-9: two thousand of as many users cost the broker a few reads, and miss nothing", async () => {
    const { join, publish, pubSub, settle } = watchBench();
    const first = await publish(...Array.from({ length: 50 }, () => status()));
    pubSub.made.length = 0;
    pubSub.holdsCalls = true;
    const joining = Array.from({ length: 2_000 }, (_, index) =>
      join({
        userId: `user-${index}`,
        replay: { after: { epoch: first.epoch, offset: 1 + (index % 50) } },
      }),
    );
    // Published while they wait: kept for every one of them until it is served.
    for (let step = 0; step < 4; step++) {
      await pubSub.proceed();
      await publish();
    }
    await settle();
    await publish(result());
    await settle();
    const watchers = await Promise.all(joining);
    for (const [index, { wire, resumed }] of watchers.entries()) {
      const { offsets } = wire;
      expect([index, resumed, offsets.length, offsets.at(-1)]).toEqual([index, true, 54 - (index % 50), 55]);
      if (!offsets.every((offset, at) => at === 0 || offset === (offsets[at - 1] ?? 0) + 1))
        throw new Error(`watcher ${index} has a gap`);
    }
    expect(pubSub.countOf("snapshot")).toBe(1);
    expect(pubSub.countOf("history")).toBeLessThan(20);
  });

  test("RES-9: a watcher that comes after the others finds what was read for them, and asks the broker nothing", async () => {
    const { join, publish, pubSub } = watchBench();
    const first = await publish(...Array.from({ length: 30 }, () => status()));
    const after = (offset: number) => ({ replay: { after: { epoch: first.epoch, offset } } });
    await join();
    expect((await join(after(5))).wire.offsets).toHaveLength(25);
    const reads = pubSub.countOf("history");
    await publish();
    for (let offset = 5; offset <= 31; offset++)
      expect((await join(after(offset))).wire.offsets).toHaveLength(31 - offset);
    expect(pubSub.countOf("history")).toBe(reads);
    await join(after(4));
    expect(pubSub.countOf("history")).toBe(reads + 1);
  });

  test("RES-8: a position that this node does not have is judged by the broker", async () => {
    const { join, publish, pubSub } = watchBench();
    await join();
    const known = await publish();
    pubSub.holdsMail = true;
    const beyond = await publish();
    const reads = pubSub.countOf("history");
    expect((await join({ replay: { after: beyond } })).resumed).toBe(true);
    expect((await join({ replay: { after: { ...known, epoch: "other" } } })).resumed).toBe(false);
    expect((await join({ replay: { after: { ...known, offset: 99 } } })).resumed).toBe(false);
    expect(pubSub.countOf("history")).toBe(reads + 3);
  });

  test("ID-3: a broker that has less than this node, for once, makes it read again", async () => {
    const { join, publish, pubSub, broker, settle, telemetry } = watchBench();
    await join();
    const known = await publish();
    await publish();
    pubSub.holdsMail = true;
    broker.loseEverything();
    await publish();
    await join({ replay: { after: { ...known, epoch: "other" } } });
    await settle();
    expect(telemetry.counts.get("feed_restarts")).toBe(1);
  });
});
