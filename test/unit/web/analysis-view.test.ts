import { describe, expect, test } from "bun:test";
import type { AnalysisEvent } from "../../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold } from "../../../src/domain/analysis-state.ts";
import type { Stage } from "../../../src/domain/stages.ts";
import { FoldedAnalysis, isOver, timeInStage } from "../../../src/web/demo/analysis-view.ts";

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

/** The state that the gateway has folded after these events. */
function stateAfter(...events: AnalysisEvent[]): AnalysisState {
  return events.reduce(fold, emptyState(ID));
}

describe("the view of an analysis on the page", () => {
  test("PAGE-1: knows when it began, and each stage's time, though it came late", () => {
    const folded = new FoldedAnalysis(ID);
    const seeded = folded.seed(
      stateAfter(status(0, "initializing"), status(2, "uploading"), status(7, "frame_extraction")),
    );
    expect(seeded?.startedAt).toBe(Date.parse(at(0)));
    const view = folded.take(status(9, "model_inference"));
    const took = (stage: string) => timeInStage(view, stage, Date.parse(at(20)));
    expect(["uploading", "frame_extraction", "model_inference"].map(took)).toEqual([5_000, 2_000, 11_000]);
    expect(took("post_processing")).toBeUndefined();
  });

  test("PAGE-1: begins with an analysis that began elsewhere than in initializing", () => {
    const view = new FoldedAnalysis(ID).seed(stateAfter(status(3, "model_inference")));
    expect(view?.startedAt).toBe(Date.parse(at(3)));
  });

  test("PAGE-1: claims no times if it has seen a part only", () => {
    const folded = new FoldedAnalysis(ID);
    const view = folded.take(status(9, "uploading"));
    expect(view.startedAt).toBeUndefined();
    expect(timeInStage(view, "uploading", Date.parse(at(20)))).toBeUndefined();
    const next = folded.take(status(12, "frame_extraction"));
    expect(timeInStage(next, "uploading", Date.parse(at(20)))).toBeUndefined();
    expect(timeInStage(next, "frame_extraction", Date.parse(at(20)))).toBe(8_000);
  });

  test("PAGE-1: adds the stretches of a stage that was entered twice", () => {
    const stages: Stage[] = ["uploading", "frame_extraction", "uploading", "model_inference"];
    const view = new FoldedAnalysis(ID).seed(
      stateAfter(...stages.map((stage, index) => status(index * 2, stage))),
    );
    if (view === undefined) throw new Error("nothing is known");
    expect(timeInStage(view, "uploading", Date.parse(at(9)))).toBe(4_000);
  });

  test("PAGE-1: shows the state that is left after a lost history, whatever it showed before", () => {
    const folded = new FoldedAnalysis(ID);
    folded.seed(stateAfter(status(0, "initializing"), status(2, "model_inference")));
    folded.restart();
    expect(folded.seed(emptyState(ID))).toBeUndefined();
    const view = folded.take(status(30, "initializing"));
    expect(stagesOf(view)).toEqual(["initializing"]);
    expect(view.startedAt).toBe(Date.parse(at(30)));
  });

  test("PAGE-4: shows that a worker has stalled, until it is heard again", () => {
    const folded = new FoldedAnalysis(ID);
    const stalled = folded.seed({ ...stateAfter(status(4, "uploading")), status: "stalled" });
    expect(stalled).toMatchObject({ status: "stalled", updatedAt: Date.parse(at(4)) });
    expect(stalled && isOver(stalled)).toBe(false);
    expect(folded.take(status(40, "uploading")).status).toBe("running");
  });

  test("PAGE-4: is whole at the verdict, and stands still from then on", () => {
    const folded = new FoldedAnalysis(ID);
    folded.take(status(0, "initializing"));
    const view = folded.take(result(25));
    expect(view).toMatchObject({ status: "completed", progress: 1, endedAt: Date.parse(at(25)) });
    expect(isOver(view)).toBe(true);
  });

  test("passes on a region's timecode if the pipeline added one", () => {
    const box = { frame_number: 1, x: 0, y: 0, width: 1, height: 1, confidence: 1, region_type: "lip_sync" };
    const { result: verdict } = new FoldedAnalysis(ID).take(result(1, [box, { ...box, timecode: "00:07" }]));
    expect(verdict?.regions.map(({ timecode }) => timecode)).toEqual([undefined, "00:07"]);
  });

  test("says why an analysis failed, also if only the stage does", () => {
    const view = new FoldedAnalysis(ID).take(status(4, "failed", { error: "no frames" }));
    expect(view).toMatchObject({ status: "failed", error: { code: undefined, message: "no frames" } });
  });
});
