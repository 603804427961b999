/** `0:07`, `12:40`; with tenths `0:07.4`. Seconds into the video. */
export function timecode(seconds: number, tenths = false): string {
  const digits = tenths ? 1 : 0;
  const rounded = Number(seconds.toFixed(digits));
  const rest = (rounded % 60).toFixed(digits).padStart(tenths ? 4 : 2, "0");
  return `${Math.floor(rounded / 60)}:${rest}`;
}

/** The time left until `at`, in words: a guess should not look like a stopwatch. Undefined once that time is over. */
export function remaining(at: string | null, now: number): string | undefined {
  const seconds = Math.round((Date.parse(at ?? "") - now) / 1000);
  if (Number.isNaN(seconds) || seconds < 1) return undefined;
  if (seconds < 90) return `about ${seconds} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

const STAGE_LABELS: ReadonlyMap<string, string> = new Map([
  ["initializing", "Getting ready"],
  ["uploading", "Taking in the file"],
  ["frame_extraction", "Extracting frames"],
  ["feature_extraction", "Measuring"],
  ["model_inference", "Applying the rules"],
  ["post_processing", "Writing the report"],
  ["blockchain_submission", "Fingerprinting the report"],
]);
const OTHER_LABELS: ReadonlyMap<string, string> = new Map([
  ["queued", "In the queue"],
  ["completed", "Done"],
  ["failed", "Failed"],
  ["cancelled", "Cancelled"],
]);

/** The stages in which this worker works, in their order. */
export const WORK_STAGES: readonly string[] = [...STAGE_LABELS.keys()];

/** A stage as people call it; one of another worker keeps its own name. */
export function stageLabel(stage: string | null): string {
  if (stage === null) return "Waiting for a worker";
  return STAGE_LABELS.get(stage) ?? OTHER_LABELS.get(stage) ?? stage;
}
