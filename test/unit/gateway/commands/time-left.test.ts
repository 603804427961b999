import { describe, expect, test } from "bun:test";
import { type AnalysisState, emptyState } from "../../../../src/domain/analysis-state.ts";
import { durationForPeople, parseDuration } from "../../../../src/gateway/commands/durations.ts";
import { TimeLeft } from "../../../../src/gateway/commands/watch/time-left.ts";

const T0 = Date.UTC(2026, 10, 28, 12);
const at = (seconds: number) => new Date(T0 + seconds * 1000).toISOString();
const running = (progress: number, seconds: number, more: Partial<AnalysisState> = {}): AnalysisState => ({
  ...emptyState("0f8fad5b-d9cb-469f-a165-70867728950e"),
  status: "running",
  progress,
  updated_at: at(seconds),
  ...more,
});

describe("TimeLeft", () => {
  test("goes by the pace between the first and the last event, whenever they were received", () => {
    const left = new TimeLeft();
    left.note(running(0.2, 0));
    expect(left.seconds(T0)).toBeUndefined();
    left.note(running(0.4, 20));
    expect(left.seconds(T0 + 20_000)).toBeCloseTo(60);
    expect(left.seconds(T0 + 50_000)).toBeCloseTo(30);
    expect(left.seconds(T0 + 90_000)).toBeUndefined();
  });

  test("knows the beginning from the stages of a state", () => {
    const left = new TimeLeft();
    const span = (stage: string, seconds: number) => ({ stage, started_at: at(seconds), ended_at: null });
    left.note(running(0.5, 30, { stages: [span("uploading", 0), span("model_inference", 10)] }));
    expect(left.seconds(T0 + 30_000)).toBeCloseTo(30);
  });

  test("prefers the estimate of the worker", () => {
    const left = new TimeLeft();
    left.note(running(0.2, 0));
    left.note(running(0.4, 20, { estimated_completion: at(500) }));
    expect(left.seconds(T0 + 20_000)).toBeCloseTo(480);
  });

  test("begins anew with a worker that begins anew, and says nothing of a first moment", () => {
    const left = new TimeLeft();
    left.note(running(0.2, 0));
    left.note(running(0.9, 90));
    left.note(running(0.1, 100));
    expect(left.seconds(T0 + 100_000)).toBeUndefined();
    left.note(running(0.2, 100.5));
    expect(left.seconds(T0 + 100_500)).toBeUndefined();
    left.note(running(0.3, 120));
    expect(left.seconds(T0 + 120_000)).toBeCloseTo(70);
  });
});

describe("durations", () => {
  test.each([
    [0.2, "0 s"],
    [59.6, "1 min"],
    [200, "3 min 20 s"],
    [7_500, "2 h 5 min"],
  ])("%d seconds are %s for people", (seconds, text) => {
    expect(durationForPeople(seconds)).toBe(text);
  });

  test.each([
    ["90s", 90],
    ["15m", 900],
    ["1h", 3600],
    ["7d", 604_800],
  ])("%s is read as %d seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each(["", "0s", "5", "1w", "-1s", "1.5h"])("%j is refused", (text) => {
    expect(() => parseDuration(text)).toThrow("90s, 15m, 1h or 7d");
  });
});
