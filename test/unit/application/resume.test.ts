import { describe, expect, test } from "bun:test";
import { parseEventId } from "../../../src/domain/event-position.ts";
import { completed, result, status } from "../../../src/testing/encoded-events.ts";
import type { RecordingConnection } from "../../../src/testing/recording-connection.ts";
import { everyWay } from "./instants.ts";
import { watchBench } from "./watch-bench.ts";

describe("coming back to a position", () => {
  const offsets = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index);
  /** How many events the state of the first frame holds. */
  const folded = ({ messages }: RecordingConnection) =>
    parseEventId(String(messages[0]?.last_event_id))?.offset ?? 0;
  const statuses = (count: number) => Array.from({ length: count }, () => status());

  test("RES-1: everything after a good position, then live", async () => {
    const { publish, join, settle } = watchBench();
    const position = await publish(...statuses(3));
    await publish(...statuses(3));
    const { wire, resumed } = await join({ replay: { after: position } });
    await publish();
    await settle();
    expect([resumed, wire.offsets]).toEqual([true, [4, 5, 6, 7]]);
  });

  test("RES-1: the newest position is good: nothing to send, then live", async () => {
    const { publish, join, settle } = watchBench();
    const position = await publish(...statuses(3));
    const { wire, resumed } = await join({ replay: { after: position } });
    await publish();
    await settle();
    expect([resumed, wire.offsets]).toEqual([true, [4]]);
  });

  test("RES-2: a position that is gone is said to be, then comes the replay that was asked for", async () => {
    for (const [mode, replayed] of [
      ["latest", [21]],
      ["all", offsets(12, 21)],
      ["none", []],
    ] as const) {
      const bench = watchBench({ size: 10 });
      const first = await bench.publish();
      for (let count = 2; count <= 21; count++) await bench.publish();
      const { epoch } = first;
      for (const after of [
        { epoch, offset: 22 },
        { epoch: "other", offset: 20 },
        first,
        "unreadable",
      ] as const) {
        const { wire, resumed } = await bench.join({ replay: { mode, after } });
        expect([resumed, wire.offsets]).toEqual([false, [...replayed]]);
      }
    }
  });

  test("RES-3: 0 is the position before the first event", async () => {
    const { publish, join } = watchBench();
    const beginning = { epoch: "", offset: 0 };
    expect((await join({ replay: { after: beginning } })).resumed).toBe(true);
    await publish(...statuses(3));
    const { wire, resumed } = await join({ replay: { after: beginning } });
    expect([resumed, wire.offsets]).toEqual([true, [1, 2, 3]]);
  });

  test("RES-4: all is the whole kept history, none nothing, both then live", async () => {
    const { publish, join, settle } = watchBench();
    await publish(...statuses(2), result(), completed());
    const [all, none] = [await join({ replay: { mode: "all" } }), await join({ replay: { mode: "none" } })];
    await publish();
    await settle();
    expect([all.wire.offsets, none.wire.offsets]).toEqual([offsets(1, 5), [5]]);
    expect([all.resumed, none.resumed]).toEqual([null, null]);
  });

  test.each([
    ["whose analysis nobody watches yet", false, 10, 1],
    ["whose analysis is watched already", true, 2, 3],
  ])(
    "RES-6: at any instant of a burst nothing is missed or sent twice, %s",
    async (_, watched, steps, count) => {
      for (const mode of ["all", "resume", "state"] as const) {
        for (const way of everyWay(count, steps)) {
          const bench = watchBench();
          const { pubSub, publish, join, settle } = bench;
          const position = await publish(...statuses(2));
          if (watched) await join();
          pubSub.holdsCalls = true;
          pubSub.holdsMail = true;
          const replay = mode === "resume" ? { after: position } : { mode };
          const joining = join({ replay });
          for (let step = 0; step <= steps; step++) {
            for (const { publishedBefore } of way) if (publishedBefore === step) await publish();
            pubSub.deliver(2 + way.filter(({ deliveredBefore }) => deliveredBefore <= step).length);
            if (step < steps) await pubSub.proceed();
          }
          await settle();
          const { wire } = await joining;
          const begins = { all: 1, resume: 3, state: 1 + folded(wire) }[mode];
          expect(wire.offsets).toEqual(offsets(begins, 2 + count));
        }
      }
    },
  );

  test("RES-6: ahead of a node that has not heard yet: what that node hears later is not sent again", async () => {
    const { pubSub, publish, join, settle } = watchBench();
    await join();
    pubSub.breakLink();
    const position = await publish(...statuses(3));
    await publish(...statuses(2));
    const { wire, resumed } = await join({ replay: { after: position } });
    expect([resumed, wire.offsets]).toEqual([true, [4, 5]]);
    pubSub.restoreLink();
    await publish();
    await settle();
    expect(wire.offsets).toEqual([4, 5, 6]);
  });

  test("RES-6: read on a history that the node does not know to be a new one: nothing of the old is sent", async () => {
    const { broker, pubSub, publish, join, settle } = watchBench();
    await join();
    await publish(...statuses(7));
    pubSub.holdsMail = true;
    broker.loseEverything();
    await publish(...statuses(2));
    const { wire } = await join({ replay: { after: { epoch: "", offset: 0 } } });
    expect(wire.offsets).toEqual([1, 2]);
    await settle();
    await publish();
    await settle();
    expect(wire.offsets.at(-1)).toBe(3);
    expect(new Set(wire.messages.flatMap(({ event_id }) => event_id?.split("-")[0] ?? [])).size).toBe(1);
  });
});
