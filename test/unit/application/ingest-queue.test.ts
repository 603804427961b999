import { describe, expect, test } from "bun:test";
import { IngestQueue, type Waiting } from "../../../src/application/ingest-queue.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { turn } from "../../support/turn.ts";

interface Numbered extends Waiting {
  readonly n: number;
  readonly channel: string;
}

/** A queue before a broker that stores every item, but none on channels that are shut. */
function queueing() {
  const clock = new ManualClock();
  const shut = new Set<string>();
  const stored: Numbered[] = [];
  const turns: number[] = [];
  let inTurn = 0;
  let n = 0;
  const queue = new IngestQueue<Numbered>({
    clock,
    ingest: async (item) => {
      if (inTurn++ === 0) {
        queueMicrotask(() => {
          turns.push(inTurn);
          inTurn = 0;
        });
      }
      if (shut.has(item.channel)) return "again";
      stored.push(item);
      return "done";
    },
    heldFor: () => 0,
    givenUp: () => false,
    overflowed: () => {},
  });
  const add = (channel: string, characters = 100) => queue.add({ n: ++n, channel, characters });
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 50) {
      clock.advance(50);
      await turn();
    }
  };
  return { queue, add, shut, stored, turns, pass };
}

describe("IngestQueue", () => {
  test("PUB-15: IngestQueue ingests batches of 256 items or 4 MiB, each in one turn, and the largest item alone", async () => {
    const { add, turns } = queueing();
    for (let count = 0; count < 600; count++) add("a");
    await turn();
    expect(turns.splice(0)).toEqual([256, 256, 88]);
    for (let count = 0; count < 5; count++) add("a", 1_500_000);
    add("a", 9_000_000);
    add("a");
    await turn();
    expect(turns).toEqual([2, 2, 1, 1, 1]);
  });

  test("PUB-15: IngestQueue keeps the order of every channel, over many batches, if one channel cannot be stored", async () => {
    const { add, shut, stored, pass, queue } = queueing();
    for (let round = 0; round < 40; round++) {
      shut.clear();
      for (const channel of ["a", "b", "c"])
        if (round % (channel.charCodeAt(0) - 93) === 0) shut.add(channel);
      for (let count = 0; count < 30; count++) add(["a", "b", "c"][count % 3] ?? "");
      await pass(round % 5 === 0 ? 300 : 50);
    }
    shut.clear();
    await pass(1_000);
    await queue.settled();
    expect(stored).toHaveLength(1_200);
    for (const channel of ["a", "b", "c"]) {
      const numbers = stored.filter((item) => item.channel === channel).map(({ n }) => n);
      expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
    }
  });

  test("OPS-10: settled() resolves when the last item is done, and at once if there is none", async () => {
    const { queue, add, shut, pass } = queueing();
    await queue.settled();
    shut.add("a");
    add("a");
    let settled = false;
    void queue.settled().then(() => {
      settled = true;
    });
    await pass(1_000);
    expect(settled).toBe(false);
    shut.clear();
    await pass(300);
    expect(settled).toBe(true);
  });
});
