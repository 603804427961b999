import { describe, expect, test } from "bun:test";
import {
  clockTime,
  duration,
  percent,
  remaining,
  shortHash,
  timeOfDay,
  words,
} from "../../../src/web/demo/format.ts";

describe("how the page writes", () => {
  test.each([
    [-5, "0:00"],
    [7_999, "0:07"],
    [760_000, "12:40"],
    [3_725_000, "1:02:05"],
  ])("%i ms on a clock is %s", (milliseconds, text) => expect(clockTime(milliseconds)).toBe(text));

  test.each([
    [-1, "0 ms"],
    [850, "850 ms"],
    [3_200, "3.2 s"],
    [245_000, "4 min 5 s"],
    [7_800_000, "2 h 10 min"],
  ])("%i ms as a duration is %s", (milliseconds, text) => expect(duration(milliseconds)).toBe(text));

  test("what is left counts down, then becomes words", () => {
    const now = Date.parse("2026-11-24T10:00:00Z");
    expect(remaining("2026-11-24T10:00:12.400Z", now)).toBe("0:12");
    expect(remaining("2026-11-24T10:00:00.900Z", now)).toBe("any moment");
    expect(remaining("2026-11-24T09:00:00Z", now)).toBe("any moment");
    expect(remaining(null, now)).toBe("not known");
  });

  test("figures, names and hashes", () => {
    expect(percent(0.943)).toBe("94.3 %");
    expect(percent(0.614, 0)).toBe("61 %");
    expect(words("lip_sync")).toBe("Lip sync");
    expect(shortHash("0xabc")).toBe("0xabc");
    expect(shortHash(`0x12ab34cd${"0".repeat(50)}9f01`)).toBe("0x12ab34cd…9f01");
    expect(timeOfDay("no time")).toBe("");
    expect(timeOfDay("2026-11-24T10:00:00.042Z")).toMatch(/^\d\d:\d\d:\d\d\.042$/);
  });
});
