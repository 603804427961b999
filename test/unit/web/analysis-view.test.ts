import { describe, expect, test } from "bun:test";
import type { AnalysisEvent } from "../../../src/domain/analysis-event.ts";
import type { Stage } from "../../../src/domain/stages.ts";
import { FoldedAnalysis } from "../../../src/web/demo/analysis-view.ts";

const ID = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";
const at = (second: number) => `2026-11-24T10:00:${String(second).padStart(2, "0")}Z`;

function status(second: number, stage: Stage, fields: Record<string, unknown> = {}): AnalysisEvent {
  return {
    event_id: `e-${second + 1}`,
    event_type: "status_update",
    analysis_id: ID,
    task_id: "task-1",
    progress: 0.5,
    current_stage: stage,
    message: "working",
    estimated_completion: null,
    error: null,
    timestamp: at(second),
    ...fields,
  } as AnalysisEvent;
}

function result(second: number, regions: readonly object[] = []): AnalysisEvent {
  return {
    event_id: `e-${second + 1}`,
    event_type: "result_update",
    analysis_id: ID,
    confidence_score: 0.94,
    frames_processed: 10,
    total_frames: 10,
    is_fake: true,
    processing_time_ms: 1,
    suspicious_regions: regions,
    blockchain_hash: null,
    timestamp: at(second),
  } as AnalysisEvent;
}

const stagesOf = (view: { stages: readonly { stage: string }[] }) => view.stages.map(({ stage }) => stage);

describe("what the page shows of an analysis", () => {
  test("knows when it began only where it saw the beginning", () => {
    expect(new FoldedAnalysis(ID).take(status(3, "initializing")).startedAt).toBe(Date.parse(at(3)));
    expect(new FoldedAnalysis(ID).take(status(9, "uploading")).startedAt).toBeUndefined();
  });

  test("is whole at the verdict, and stands still from then on", () => {
    const folded = new FoldedAnalysis(ID);
    folded.take(status(0, "initializing"));
    const view = folded.take(result(25));
    expect(view).toMatchObject({ status: "completed", progress: 1, endedAt: Date.parse(at(25)) });
  });

  test("passes on a region's timecode where the pipeline added one", () => {
    const box = { frame_number: 1, x: 0, y: 0, width: 1, height: 1, confidence: 1, region_type: "lip_sync" };
    const { result: verdict } = new FoldedAnalysis(ID).take(result(1, [box, { ...box, timecode: "00:07" }]));
    expect(verdict?.regions.map(({ timecode }) => timecode)).toEqual([undefined, "00:07"]);
  });

  test("says why an analysis failed, also where only the stage does", () => {
    const view = new FoldedAnalysis(ID).take(status(4, "failed", { error: "no frames" }));
    expect(view).toMatchObject({ status: "failed", error: { code: undefined, message: "no frames" } });
  });

  test("keeps the times of stages gone by when a restart replays only the last status", () => {
    const folded = new FoldedAnalysis(ID);
    folded.take(status(0, "initializing"));
    folded.take(status(2, "uploading"));
    folded.restart();
    const same = folded.take(status(5, "uploading"));
    expect(stagesOf(same)).toEqual(["initializing", "uploading"]);
    expect(same.stages[1]?.startedAt).toBe(Date.parse(at(2)));
    folded.restart();
    const later = folded.take(status(9, "model_inference"));
    expect(stagesOf(later)).toEqual(["initializing", "uploading", "model_inference"]);
    expect(later.stages[1]?.endedAt).toBe(Date.parse(at(9)));
    expect(later.startedAt).toBe(Date.parse(at(0)));
  });

  test("forgets the stages before a restart when the work has begun anew", () => {
    const folded = new FoldedAnalysis(ID);
    folded.take(status(0, "initializing"));
    folded.take(status(2, "model_inference"));
    folded.restart();
    expect(stagesOf(folded.take(status(30, "initializing")))).toEqual(["initializing"]);
  });
});
