const LABELS: ReadonlyMap<string, string> = new Map([
  ["initializing", "Initialising"],
  ["uploading", "Uploading"],
  ["frame_extraction", "Extracting frames"],
  ["feature_extraction", "Finding features"],
  ["model_inference", "Running the model"],
  ["post_processing", "Post-processing"],
  ["blockchain_submission", "Recording the verdict"],
]);

const OTHERS: ReadonlyMap<string, string> = new Map([
  ["queued", "Queued"],
  ["completed", "Completed"],
  ["failed", "Failed"],
  ["cancelled", "Cancelled"],
]);

/** The stages in which the demo's pipeline works, in their order. */
export const WORKING_STAGES: readonly string[] = [...LABELS.keys()];

/** A stage as people call it; one that the page does not know keeps its own name. */
export function stageLabel(stage: string | null): string {
  if (stage === null) return "Waiting for the worker";
  return LABELS.get(stage) ?? OTHERS.get(stage) ?? stage;
}

/** The place among the working stages; beyond all of them for `completed` and `failed`, -1 for any other. */
export function stageIndex(stage: string | null): number {
  if (stage === "completed" || stage === "failed") return WORKING_STAGES.length;
  return WORKING_STAGES.indexOf(stage ?? "");
}
