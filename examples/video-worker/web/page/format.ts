/** `0:07`, `12:40`; with tenths `0:07.4`. Seconds into the video. */
export function timecode(seconds: number, tenths = false): string {
  const digits = tenths ? 1 : 0;
  const rounded = Number(seconds.toFixed(digits));
  const rest = (rounded % 60).toFixed(digits).padStart(tenths ? 4 : 2, "0");
  return `${Math.floor(rounded / 60)}:${rest}`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** What is left until `at`, in words: a guess should not look like a stopwatch. */
export function remaining(at: string | null, now: number): string | undefined {
  if (at === null) return undefined;
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  if (Number.isNaN(seconds)) return undefined;
  if (seconds < 2) return "almost done";
  if (seconds < 90) return `about ${seconds} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

const STAGE_LABELS: Readonly<Record<string, string>> = {
  initializing: "Getting ready",
  uploading: "Taking in the file",
  frame_extraction: "Extracting frames",
  feature_extraction: "Measuring",
  model_inference: "Applying the rules",
  post_processing: "Writing the report",
  blockchain_submission: "Fingerprinting the report",
};

/** The stages in which work is done, in their order. */
export const WORK_STAGES = Object.entries(STAGE_LABELS).map(([stage, label]) => ({ stage, label }));

export function stageLabel(stage: string | null): string {
  if (stage === "completed") return "Done";
  if (stage === "failed") return "Failed";
  return STAGE_LABELS[stage ?? ""] ?? "Waiting for a worker";
}
