import { describe, expect, test } from "bun:test";
import { countWords } from "../../../src/web/words/count-words.ts";
import { dataDetails } from "../../../src/web/words/data-details.ts";
import { type Step, stepsOf } from "../../../src/web/words/stage-steps.ts";

const KNOWN = ["a", "b", "c"];

/** `a:done b:current c:ahead` */
function told(steps: readonly Step[]): string {
  return steps.map(({ stage, mark }) => `${stage}:${mark}`).join(" ");
}

describe("PAGE-10: the steps of an analysis", () => {
  test.each([
    [[], "unknown", "a:ahead b:ahead c:ahead"],
    [["a"], "running", "a:current b:ahead c:ahead"],
    [["b"], "running", "b:current c:ahead"],
    [["b", "a"], "stalled", "a:done b:current c:ahead"],
    [["a", "b", "failed"], "failed", "a:done b:stopped c:ahead"],
    [["a", "b", "cancelled"], "cancelled", "a:done b:stopped c:ahead"],
    [["a", "completed"], "completed", "a:done"],
    [["a", "c", "completed"], "completed", "a:done c:done"],
    [["completed"], "completed", ""],
    [["failed"], "failed", ""],
    [["queued"], "queued", "a:ahead b:ahead c:ahead"],
    [["a", "queued"], "queued", "a:done b:ahead c:ahead"],
  ])("are the named ones and those that the page expects ahead: %j, %s", (seen, status, steps) => {
    expect(told(stepsOf({ seen, status }, KNOWN))).toBe(steps);
  });

  test.each([
    [["queued", "demux"], "running", "demux:current"],
    [["a", "demux", "mux"], "running", "a:done demux:done mux:current"],
    [["demux", "mux", "demux"], "running", "demux:current mux:done"],
    [["demux", "mux", "cancelled"], "cancelled", "demux:done mux:stopped"],
    [["demux", "mux", "completed"], "completed", "demux:done mux:done"],
    [["demux", "queued"], "queued", "demux:done"],
  ])("are those that the worker has named if it named another: %j, %s", (seen, status, steps) => {
    expect(told(stepsOf({ seen, status }, KNOWN))).toBe(steps);
  });
});

test("PAGE-10: counts are said with their unit", () => {
  const counts = { current: null, total: null, unit: null };
  expect(countWords(counts)).toBeUndefined();
  expect(countWords({ ...counts, total: 9, unit: "frames" })).toBeUndefined();
  expect(countWords({ ...counts, current: 1340 })).toBe("1,340");
  expect(countWords({ current: 340, total: 1000, unit: "frames" })).toBe("340 of 1,000 frames");
  expect(countWords({ current: 0.25, total: null, unit: " " })).toBe("0.25");
});

describe("PAGE-11: the data of a result", () => {
  test("is said in words as far as it goes", () => {
    const { said, rest } = dataDetails({ language: "en", duration_ms: 1200, issues: [1], speakers: ["Ada"] });
    expect(said).toEqual([
      { label: "Language", value: "en" },
      { label: "Duration", value: "1,200 ms" },
    ]);
    expect(JSON.parse(rest ?? "")).toEqual({ issues: [1], speakers: ["Ada"] });
    expect(dataDetails(7)).toEqual({ said: [{ label: "Result", value: "7" }], rest: undefined });
  });

  test.each([[[1, 2]], [[]], [{ a: {} }], ["x".repeat(300)]])(
    "is shown as JSON if words do not do: %j",
    (data) => {
      expect(dataDetails(data)).toEqual({ said: [], rest: JSON.stringify(data, null, 2) });
    },
  );

  test("is cut if it is very long", () => {
    expect(dataDetails(["x".repeat(1_000_000)]).rest?.length).toBeLessThan(21_000);
  });
});
