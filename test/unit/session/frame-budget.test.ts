import { describe, expect, test } from "bun:test";
import { FrameBudget } from "../../../src/session/frame-budget.ts";

describe("FrameBudget", () => {
  const times = (count: number, may: () => boolean) =>
    Array.from({ length: count }, may).filter(Boolean).length;
  const now = Date.UTC(2026, 10, 24);

  test("WS-7: takes so many frames a second, however they fall into it", () => {
    const budget = new FrameBudget(3);
    expect(times(5, () => budget.mayTake(now + 10))).toBe(3);
    expect(times(5, () => budget.mayTake(now + 300))).toBe(0);
    expect(times(5, () => budget.mayTake(now + 350))).toBe(1);
    expect(times(5, () => budget.mayTake(now + 60_000))).toBe(3);
  });

  test("ADM-3: takes 2,000 frames at once by default, then 100 a second", () => {
    const budget = new FrameBudget(100);
    expect(times(3_000, () => budget.mayTake(now))).toBe(2_000);
    expect(times(200, () => budget.mayTake(now + 1_000))).toBe(100);
    expect(times(3_000, () => budget.mayTake(now + 60_000))).toBe(2_000);
  });

  test("WS-7: is not refilled by a clock that was set back", () => {
    const budget = new FrameBudget(5);
    expect(times(9, () => budget.mayTake(now))).toBe(5);
    expect(times(9, () => budget.mayTake(now - 60_000))).toBe(0);
  });

  test("WS-7: 0 is no limit", () => {
    const budget = new FrameBudget(0);
    expect(times(10_000, () => budget.mayTake(now))).toBe(10_000);
  });

  test("WS-6: ten errors are answered within any minute, and forgiven after it", () => {
    const budget = new FrameBudget(0);
    expect(times(6, () => budget.mayErr(now))).toBe(6);
    expect(times(6, () => budget.mayErr(now + 30_000))).toBe(4);
    expect(times(20, () => budget.mayErr(now + 59_999))).toBe(0);
    expect(times(20, () => budget.mayErr(now + 60_000))).toBe(6);
  });

  test("WS-6: an error every seven seconds is forgiven for as long as it goes on", () => {
    const budget = new FrameBudget(0);
    expect(times(9, () => budget.mayErr(now))).toBe(9);
    for (let step = 9; step < 100; step++) expect(budget.mayErr(now + step * 7_000)).toBe(true);
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
