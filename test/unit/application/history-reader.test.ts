import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { HistoryReader } from "../../../src/application/fan-out/history-reader.ts";
import type { EventPosition } from "../../../src/domain/event-position.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { turn } from "../../support/turn.ts";

async function bench({ published = 10, size = 5_000, note = "" } = {}) {
  const { pubSub, clock, telemetry, elsewhere, broker } = memoryNode({ size });
  const channel = someAnalysis();
  const publish = async (count: number) => {
    for (let left = count; left > 0; left -= 500)
      await elsewhere.append({
        channel,
        events: Array.from({ length: Math.min(500, left) }, () => status({ note })),
      });
  };
  await publish(published);
  const { epoch } = (await elsewhere.snapshot(channel)).position;
  const shared = new HistoryReader(channel, pubSub, clock, telemetry);
  const at = (offset: number): EventPosition => ({ epoch, offset });
  const offsets = async (after: EventPosition | undefined) => {
    const { resumed, events, from } = await shared.after(after);
    return resumed ? events.slice(from).map(({ position }) => position.offset) : "gone";
  };
  const settle = async () => {
    pubSub.holdsCalls = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
  };
  return { pubSub, broker, publish, shared, at, offsets, settle };
}

describe("HistoryReader", () => {
  test("RES-9: watchers that ask in one turn share one read, each from its own position", async () => {
    const { pubSub, at, offsets } = await bench();
    const read = await Promise.all([8, 5, 10, 7].map((offset) => offsets(at(offset))));
    expect(read).toEqual([[9, 10], [6, 7, 8, 9, 10], [], [8, 9, 10]]);
    expect(pubSub.countOf("history")).toBe(1);
  });

  test("RES-9: watchers that ask while a read is out share the next one, which sees what was published meanwhile", async () => {
    const { pubSub, publish, at, offsets, settle } = await bench();
    pubSub.holdsCalls = true;
    const first = offsets(at(8));
    await turn();
    await pubSub.proceed();
    await publish(1);
    const later = Promise.all([offsets(at(9)), offsets(at(11)), offsets(undefined)]);
    await settle();
    expect(await first).toEqual([9, 10]);
    expect((await later).map((read) => read.length)).toEqual([2, 0, 11]);
    expect(pubSub.countOf("history")).toBe(2);
  });

  test("RES-8: a position that is gone is answered so, and spoils nothing for the others", async () => {
    const { pubSub, at, offsets } = await bench();
    const asked = [{ epoch: "other", offset: 2 }, at(9), at(11), { epoch: "", offset: 0 }, at(4)];
    const read = await Promise.all(asked.map(offsets));
    expect(read.map((one) => (one === "gone" ? one : one.length))).toEqual(["gone", 1, "gone", 10, 6]);
    expect(pubSub.countOf("history")).toBe(1);
    expect(await Promise.all([offsets({ epoch: "other", offset: 2 }), offsets(at(9))])).toEqual([
      "gone",
      [10],
    ]);
    expect(pubSub.countOf("history")).toBe(3);
  });

  test("a garbage position does not make the gateway read the whole history", async () => {
    const { pubSub, offsets } = await bench({ published: 3_500 });
    expect(await offsets({ epoch: "other", offset: 1 })).toBe("gone");
    expect(pubSub.countOf("history")).toBe(1);
  });

  test("several pages are one stretch, of a thousand events at most; a position beyond it gets another", async () => {
    const { shared, at } = await bench({ published: 3_500 });
    const asked = [at(100), at(1_099), at(2_500)].map((after) => shared.after(after));
    const read = await Promise.all(asked);
    const reach = read.map(({ events, from }) => [from, events.at(-1)?.position.offset]);
    expect(reach).toEqual([
      [0, 1_100],
      [999, 1_100],
      [0, 3_500],
    ]);
    expect(read.map(({ newest }) => newest.offset)).toEqual([3_500, 3_500, 3_500]);
  });

  test("BUD-5: one read is little more than a mebibyte; a position at its end gets what follows it", async () => {
    const { shared, at } = await bench({ published: 30, note: "ü".repeat(200_000) });
    const read = await Promise.all([2, 3, 4, 20].map((offset) => shared.after(at(offset))));
    expect(read.map(({ events, from }) => events.slice(from).length > 0)).toEqual([true, true, true, true]);
    for (const { events } of read) {
      const bytes = events.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
      expect([bytes > 0, bytes < 2 * 1024 * 1024]).toEqual([true, true]);
    }
    const end = read[0]?.events.at(-1)?.position;
    const next = await shared.after(end);
    expect(next.events[next.from]?.position.offset).toBe((end?.offset ?? 0) + 1);
    // In one read with an earlier position, too.
    const [, together] = await Promise.all([shared.after(at(2)), shared.after(end)]);
    expect(together?.events[together.from]?.position.offset).toBe((end?.offset ?? 0) + 1);
  });

  test("a history that is lost between two pages is judged anew", async () => {
    const { pubSub, broker, publish, at, offsets, settle } = await bench({ published: 3_500 });
    pubSub.holdsCalls = true;
    const reading = offsets(at(100));
    await turn();
    for (let step = 0; step < 2; step++) await pubSub.proceed();
    broker.loseEverything();
    await publish(3);
    await settle();
    expect(await reading).toBe("gone");
  });

  test("a read that fails fails for all that wait for it, and for nobody else", async () => {
    const { pubSub, at, offsets } = await bench();
    pubSub.fault = () => new BrokerUnavailable("away");
    const failed = await Promise.allSettled([offsets(at(1)), offsets(at(2))]);
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    pubSub.fault = () => undefined;
    expect(await offsets(at(9))).toEqual([10]);
  });
});
