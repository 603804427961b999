import { describe, expect, test } from "bun:test";
import { clockTime, remaining, shortHash, timeOfDay } from "../../../src/web/demo/format.ts";
import { backendFault } from "../../../src/web/words/backend-fault.ts";
import { failureDetails, words } from "../../../src/web/words/failure-details.ts";
import { percent } from "../../../src/web/words/percent.ts";
import { duration, durationSoFar, timeInSeconds } from "../../../src/web/words/times.ts";

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
    [999.7, "1.0 s"],
    [3_200, "3.2 s"],
    [59_940, "59.9 s"],
    [59_990, "1 min 0 s"],
    [245_000, "4 min 5 s"],
    [7_800_000, "2 h 10 min"],
  ])("%i ms as a duration is %s", (milliseconds, text) => expect(duration(milliseconds)).toBe(text));

  test("the time that something has taken is in seconds that have passed", () => {
    expect([-1, 999, 59_999, 65_999].map(durationSoFar)).toEqual(["0 s", "0 s", "59 s", "1 min 5 s"]);
  });

  test("PAGE-3: the time left counts down, and is not known when it is over", () => {
    const now = Date.parse("2026-11-24T10:00:00Z");
    expect(remaining("2026-11-24T10:00:12.400Z", now)).toBe("0:12");
    expect(remaining("2026-11-24T10:00:00.900Z", now)).toBeUndefined();
    expect(remaining("2026-11-24T09:00:00Z", now)).toBeUndefined();
    expect(remaining("no time", now)).toBeUndefined();
    expect(remaining(null, now)).toBeUndefined();
  });

  test("figures, names and hashes", () => {
    expect(percent(0.943, 1)).toBe("94.3 %");
    expect(percent(0.614)).toBe("61 %");
    expect(words("lip_sync")).toBe("Lip sync");
    expect(shortHash("0xabc")).toBe("0xabc");
    expect(shortHash(`0x12ab34cd${"0".repeat(50)}9f01`)).toBe("0x12ab34cd…9f01");
    expect(timeOfDay(Number.NaN)).toBe("");
    expect(timeOfDay(Date.parse("2026-11-24T10:00:00.042Z"))).toMatch(/^\d\d:\d\d:\d\d\.042$/);
    expect(timeInSeconds(Date.parse("2026-11-24T10:00:00.042Z"))).toMatch(/^\d\d:\d\d:00$/);
  });
});

describe("how the page says that a request came to nothing", () => {
  const said = (error: unknown) => backendFault(error, "The gateway", "Start it.");

  test("PAGE-2: no answer, an answer too late, and what was said, each as a sentence that says what to do", () => {
    expect(said(new TypeError("Failed to fetch"))).toBe("The gateway cannot be reached. Start it.");
    expect(said(new DOMException("", "TimeoutError"))).toBe(
      "The gateway did not answer within 10 seconds. Start it.",
    );
    expect(said(new Error("The gateway says: too many."))).toBe("The gateway says: too many.");
    expect(said("odd")).toBe("odd");
  });
});

describe("how the page says what went wrong", () => {
  test("PAGE-5: names become words and figures have units; what cannot be said is kept as it was sent", () => {
    const { said, issues, rest } = failureDetails({
      needed_mb: 9216,
      frame_number: 467,
      retryable: true,
      host: "gpu-3",
      trace: { at: [1, 2] },
      nothing: null,
      blank: " ",
    });
    expect(said).toEqual([
      { label: "Needed", value: "9,216 MB" },
      { label: "Frame number", value: "467" },
      { label: "Retryable", value: "yes" },
      { label: "Host", value: "gpu-3" },
    ]);
    expect(issues).toEqual([]);
    expect(JSON.parse(rest ?? "")).toEqual({ trace: { at: [1, 2] }, nothing: null, blank: " " });
  });

  test("PAGE-5: the faults of a refused event are lines to read", () => {
    const details = {
      event_type: "result_update",
      issues: [
        { path: ["suspicious_regions", 3, "x"], message: "must be at most 1" },
        { path: [], message: "must be an object" },
      ],
    };
    expect(failureDetails(details)).toEqual({
      said: [{ label: "Event type", value: "result_update" }],
      issues: ["suspicious_regions.3.x: must be at most 1", "must be an object"],
      rest: undefined,
    });
    expect(failureDetails({ issues: "none" }).said).toEqual([{ label: "Issues", value: "none" }]);
  });
});
