/** The stages of the setting STAGES if it is not set: those of video verification, in the order in which they usually come. */
export const STAGES = [
  "initializing",
  "uploading",
  "frame_extraction",
  "feature_extraction",
  "model_inference",
  "post_processing",
  "blockchain_submission",
  "completed",
  "failed",
] as const;

/** A stage as its worker named it: one of `STAGES` unless the setting says otherwise. */
export type Stage = (typeof STAGES)[number] | (string & Record<never, never>);

/** The names that a `current_stage` may have; `*`: every name that a stage can have. */
export type AllowedStages = readonly string[] | "*";

/** The stages of a setting, with those that mean something to the gateway itself: they are always allowed. */
export function allowedStages(named: AllowedStages): AllowedStages {
  if (named === "*") return named;
  return [...new Set(["queued", ...named.filter((stage) => !ENDS.includes(stage)), ...ENDS])];
}

/** Whether a worker may name the stage. */
export function isAllowed(named: AllowedStages, stage: string): boolean {
  return named === "*" ? isStageName(stage) : allowedStages(named).includes(stage);
}

const ENDS: readonly string[] = ["completed", "failed", "cancelled"];

/** `[a-z0-9_.-]`, 1 to 64 of them. A mark of a stage is kept as text between blanks, so no other character may come in. */
export function isStageName(text: string): boolean {
  return /^[a-z0-9_.-]{1,64}$/.test(text);
}

/** One change of stage since the last reopening: `at` is the event's own timestamp, `offset` its offset. */
export interface StageMark {
  readonly stage: string;
  readonly at: string;
  readonly offset: number;
}

/**
 * A channel keeps so many marks, and drops the oldest beyond that. Marks outlive the trimming of the history: a worker
 * that flips between two stages for hours would grow them without end, and every reader of the state pays for them.
 */
export const STAGE_MARKS_KEPT = 200;
