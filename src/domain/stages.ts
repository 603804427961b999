/** The stages of an analysis, in the order they usually come. */
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
 * Marks outlive the trimming of the history, so a worker that flips between two stages for hours would grow them
 * without end, and every reader of the state pays for all of them. Beyond this many the oldest is dropped: a
 * timeline this long is of use at its recent end.
 */
export const STAGE_MARKS_KEPT = 200;
