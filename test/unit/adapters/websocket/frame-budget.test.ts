import { describe, expect, test } from "bun:test";
import { FrameBudget } from "../../../../src/adapters/websocket/frame-budget.ts";

describe("FrameBudget", () => {
  const times = (count: number, may: () => boolean) =>
    Array.from({ length: count }, may).filter(Boolean).length;
  const now = Date.UTC(2026, 10, 24);

  test("WS-7: takes so many frames in each second, however they fall into it", () => {
    const budget = new FrameBudget(3);
    expect(times(5, () => budget.mayTake(now + 10))).toBe(3);
    expect(times(5, () => budget.mayTake(now + 999))).toBe(0);
    expect(times(5, () => budget.mayTake(now + 1_000))).toBe(3);
  });

  test("WS-7: 0 is no limit", () => {
    const budget = new FrameBudget(0);
    expect(times(10_000, () => budget.mayTake(now))).toBe(10_000);
  });

  test("WS-6: ten errors in all are answered, whenever they come", () => {
    const budget = new FrameBudget(0);
    expect(times(20, () => budget.mayErr())).toBe(10);
  });

  test("WS-11: sixteen frames may wait for their answer at once; what is answered waits no more", () => {
    const budget = new FrameBudget(0);
    for (let round = 0; round < 100; round++) {
      expect(budget.mayWait()).toBe(true);
      budget.answered();
    }
    expect(times(17, () => budget.mayWait())).toBe(16);
  });
});
