import { describe, expect, test } from "bun:test";
import type { AnalysisEvent } from "../../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold } from "../../../src/domain/analysis-state.ts";
import { STAGE_MARKS_KEPT } from "../../../src/domain/stages.ts";
import { timeElapsed, timeInStage } from "../../../src/web/words/stage-times.ts";

const ID = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";
const BEGAN = Date.parse("2026-11-24T10:00:00Z");
const at = (second: number) => BEGAN + second * 1_000;

function event(second: number, fields: object): AnalysisEvent {
  const timestamp = new Date(at(second)).toISOString();
  return { event_id: `e-${second + 1}`, analysis_id: ID, timestamp, ...fields } as AnalysisEvent;
}
const status = (second: number, current_stage: string) =>
  event(second, { event_type: "status_update", progress: 0.5, current_stage, message: "working" });
const stateAfter = (...events: AnalysisEvent[]): AnalysisState => events.reduce(fold, emptyState(ID));

describe("PAGE-1: the times of an analysis", () => {
  test("are those of each stage, until now for the current one", () => {
    const state = stateAfter(status(0, "a"), status(2, "b"), status(7, "c"));
    const took = (stage: string) => timeInStage(state, stage, at(20));
    expect(["a", "b", "c", "d"].map(took)).toEqual([2_000, 5_000, 13_000, undefined]);
    expect(timeElapsed(state, at(20))).toBe(20_000);
  });

  test("count a stage that was entered twice for both stretches", () => {
    const state = stateAfter(status(0, "a"), status(2, "b"), status(4, "a"), status(6, "b"));
    expect(timeInStage(state, "a", at(9))).toBe(4_000);
    expect(timeInStage(state, "b", at(9))).toBe(5_000);
  });

  test("stand still after the end", () => {
    const result = event(25, { event_type: "result", data: {}, summary: null });
    for (const end of [result, status(25, "failed"), status(25, "cancelled"), status(25, "completed")]) {
      const state = stateAfter(status(0, "a"), end);
      expect([timeInStage(state, "a", at(99)), timeElapsed(state, at(99))]).toEqual([25_000, 25_000]);
    }
  });

  test("are not told before the first stage, nor of a beginning that was trimmed", () => {
    expect(timeElapsed(emptyState(ID), at(9))).toBeUndefined();
    const many = Array.from({ length: STAGE_MARKS_KEPT + 1 }, (_, second) => status(second, `s${second}`));
    const state = stateAfter(...many);
    expect(timeElapsed(state, at(9_999))).toBeUndefined();
    expect(timeInStage(state, "s1", at(9_999))).toBeUndefined();
    expect(timeInStage(state, "s2", at(9_999))).toBe(1_000);
  });
});
