import { describe, expect, test } from "bun:test";
import { DueQueue } from "../../../src/application/due-queue.ts";

const GRANULARITY = 100;
const BEGAN = 1_000_050;

describe("DueQueue", () => {
  const queue = () => new DueQueue<string>(GRANULARITY, BEGAN);

  test("takes nothing early, and everything at most one granularity late", () => {
    for (let wait = 1; wait <= 1_000; wait += 7) {
      const due = BEGAN + wait;
      const waiting = queue();
      waiting.schedule("a", due);
      let takenAt = 0;
      for (let now = BEGAN; takenAt === 0; now++) if (waiting.take(now).length > 0) takenAt = now;
      expect(takenAt - due).toBeGreaterThanOrEqual(0);
      expect(takenAt - due).toBeLessThan(GRANULARITY);
    }
  });

  test("takes each item once, and what is due first comes first", () => {
    const waiting = queue();
    waiting.schedule("late", BEGAN + 900);
    waiting.schedule("early", BEGAN + 300);
    waiting.schedule("never yet", BEGAN + 5_000);
    expect(waiting.take(BEGAN + 1_000)).toEqual(["early", "late"]);
    expect(waiting.take(BEGAN + 1_000)).toEqual([]);
    expect(waiting.size).toBe(1);
  });

  test("an item scheduled again is moved, sooner as well as later", () => {
    const waiting = queue();
    waiting.schedule("a", BEGAN + 300);
    waiting.schedule("a", BEGAN + 800);
    expect(waiting.take(BEGAN + 500)).toEqual([]);
    waiting.schedule("a", BEGAN + 600);
    expect(waiting.take(BEGAN + 700)).toEqual(["a"]);
    expect(waiting.size).toBe(0);
  });

  test("an item that was due when it was scheduled comes with the next take", () => {
    const waiting = queue();
    waiting.take(BEGAN + 5_000);
    waiting.schedule("a", BEGAN);
    expect(waiting.take(BEGAN + 5_000 + GRANULARITY)).toEqual(["a"]);
  });

  test("a removed item is never taken; removing it twice, or one that is not there, is no fault", () => {
    const waiting = queue();
    for (const item of ["a", "b"]) waiting.schedule(item, BEGAN + 200);
    waiting.remove("a");
    waiting.remove("a");
    waiting.remove("stranger");
    expect(waiting.take(BEGAN + 400)).toEqual(["b"]);
    waiting.remove("b");
    expect(waiting.size).toBe(0);
  });

  test("after a long freeze everything overdue comes in order of time", () => {
    const waiting = queue();
    for (const wait of [70_000, 500, 30_000]) waiting.schedule(`${wait}`, BEGAN + wait);
    expect(waiting.take(BEGAN + 365 * 86_400_000)).toEqual(["500", "30000", "70000"]);
  });

  test("a clock set back neither takes what is not due nor loses it", () => {
    const waiting = queue();
    waiting.take(BEGAN + 10_000);
    waiting.schedule("a", BEGAN + 10_500);
    expect(waiting.take(BEGAN)).toEqual([]);
    expect(waiting.take(BEGAN + 10_600)).toEqual(["a"]);
  });
});
