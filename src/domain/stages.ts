/** The stages of an analysis, in the order in which they usually come. */
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

export type Stage = (typeof STAGES)[number];

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
