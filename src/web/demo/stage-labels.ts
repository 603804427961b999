import type { Stage } from "../../domain/stages.ts";

type WorkingStage = Exclude<Stage, "completed" | "failed">;

const LABELS: Record<WorkingStage, string> = {
  initializing: "Initialising",
  uploading: "Uploading",
  frame_extraction: "Extracting frames",
  feature_extraction: "Finding features",
  model_inference: "Running the model",
  post_processing: "Post-processing",
  blockchain_submission: "Recording the verdict",
};

/** The stages in which work is done, in their order, as people call them. */
export const WORKING_STAGES = (Object.keys(LABELS) as WorkingStage[]).map((stage) => ({
  stage,
  label: LABELS[stage],
}));

export function stageLabel(stage: string | null): string {
  if (stage === "completed") return "Completed";
  if (stage === "failed") return "Failed";
  return WORKING_STAGES.find((entry) => entry.stage === stage)?.label ?? "Waiting for the worker";
}

/** The place among the working stages; beyond all of them for `completed` and `failed`, -1 for none. */
export function stageIndex(stage: string | null): number {
  if (stage === "completed" || stage === "failed") return WORKING_STAGES.length;
  return WORKING_STAGES.findIndex((entry) => entry.stage === stage);
}
