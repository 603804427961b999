import { describe, expect, test } from "bun:test";
import { ClientLimits } from "../../../src/session/client-limits.ts";

describe("ClientLimits", () => {
  const times = (count: number, may: () => boolean) =>
    Array.from({ length: count }, may).filter(Boolean).length;
  const limitsOf = (framesPerSecond: number) => new ClientLimits({ framesPerSecond, subscribes: false });
  const now = Date.UTC(2026, 10, 24);

  test("WS-7: allows the rate in every second, however the frames fall into it", () => {
    const limits = limitsOf(3);
    expect(times(5, () => limits.mayTakeFrame(now + 10))).toBe(3);
    expect(times(5, () => limits.mayTakeFrame(now + 300))).toBe(0);
    expect(times(5, () => limits.mayTakeFrame(now + 350))).toBe(1);
    expect(times(5, () => limits.mayTakeFrame(now + 60_000))).toBe(3);
  });

  test("ADM-3: allows 2,000 frames at once by default, then 100 a second", () => {
    const limits = limitsOf(100);
    expect(times(3_000, () => limits.mayTakeFrame(now))).toBe(2_000);
    expect(times(200, () => limits.mayTakeFrame(now + 1_000))).toBe(100);
    expect(times(3_000, () => limits.mayTakeFrame(now + 60_000))).toBe(2_000);
  });

  test("WS-7: refills nothing if the clock was set back", () => {
    const limits = limitsOf(5);
    expect(times(9, () => limits.mayTakeFrame(now))).toBe(5);
    expect(times(9, () => limits.mayTakeFrame(now - 60_000))).toBe(0);
  });

  test("WS-7: allows every frame at a rate of 0", () => {
    const limits = limitsOf(0);
    expect(times(10_000, () => limits.mayTakeFrame(now))).toBe(10_000);
  });

  test("WS-6: allows ten errors in any minute", () => {
    const limits = limitsOf(0);
    expect(times(6, () => limits.mayErr(now))).toBe(6);
    expect(times(6, () => limits.mayErr(now + 30_000))).toBe(4);
    expect(times(20, () => limits.mayErr(now + 59_999))).toBe(0);
    expect(times(20, () => limits.mayErr(now + 60_000))).toBe(6);
  });

  test("WS-6: allows an error every seven seconds without end", () => {
    const limits = limitsOf(0);
    expect(times(9, () => limits.mayErr(now))).toBe(9);
    for (let step = 9; step < 100; step++) expect(limits.mayErr(now + step * 7_000)).toBe(true);
  });

  test("WS-11: allows sixteen tokens to wait at once, and another for each that was verified", () => {
    const limits = limitsOf(0);
    for (let round = 0; round < 100; round++) {
      expect(limits.mayPresentToken()).toBe(true);
      limits.tokenVerified();
    }
    expect(times(17, () => limits.mayPresentToken())).toBe(16);
  });
});
