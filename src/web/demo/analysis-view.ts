import type {
  AnalysisEvent,
  DataResult,
  ErrorEvent,
  ResultUpdate,
  StatusUpdate,
  SuspiciousRegion,
} from "../../domain/analysis-event.ts";
import {
  type AnalysisState,
  type AnalysisStatus,
  emptyState,
  fold,
  isEnd,
} from "../../domain/analysis-state.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { Counts } from "../../domain/counts.ts";
import { STAGE_MARKS_KEPT } from "../../domain/stages.ts";

/** The view of an analysis on the page. Times are milliseconds since 1970. */
export interface AnalysisView {
  /** `stalled`: running, and its worker has been silent for longer than it may. */
  readonly status: Exclude<AnalysisStatus, "unknown">;
  /** 0 to 1. */
  readonly progress: number;
  readonly stage: string | null;
  readonly message: string;
  readonly estimatedCompletion: string | null;
  readonly stages: readonly StageTime[];
  readonly counts: Counts;
  /** The request to cancel that is in force. */
  readonly cancelRequested: CancelRequest | null;
  /** The verdict on a video; undefined also if the result is of another kind. */
  readonly result: Verdict | undefined;
  readonly data: DataResult | undefined;
  readonly error: Failure | undefined;
  /** Undefined if the page does not know the beginning. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly updatedAt: number;
}

interface StageTime {
  readonly stage: string;
  /** Undefined if the page does not know when it began. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
}

export interface Verdict {
  readonly isFake: boolean;
  readonly confidence: number;
  readonly framesProcessed: number;
  readonly totalFrames: number;
  readonly processingTimeMs: number;
  readonly regions: readonly Region[];
  readonly hash: string | null;
}

export interface Region {
  readonly frameNumber: number;
  /** Place and size are fractions of the frame. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly confidence: number;
  readonly type: string;
  /** A field that some pipelines add. */
  readonly timecode: string | undefined;
}

export interface Failure {
  readonly code: string | undefined;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Folds the events of one analysis into the view of the page. */
export class FoldedAnalysis {
  #state: AnalysisState;
  /** Whether the state is that of all events; else the first of its stages may have begun at any time. */
  #whole = false;

  constructor(analysisId: string) {
    this.#state = emptyState(analysisId);
  }

  /** Begins with the state that the gateway has folded; undefined if it has not heard of the analysis. */
  seed(state: AnalysisState): AnalysisView | undefined {
    this.#state = state;
    this.#whole = true;
    return state.status === "unknown" ? undefined : viewOf(state, true);
  }

  take(event: AnalysisEvent): AnalysisView {
    this.#state = fold(this.#state, event);
    return viewOf(this.#state, this.#whole);
  }

  /** The folded state is void. A new state follows or, if that cannot be had, a replay that begins in the middle. */
  restart(): void {
    this.#state = emptyState(this.#state.analysis_id);
    this.#whole = false;
  }
}

export function isOver({ status }: Pick<AnalysisView, "status">): boolean {
  return isEnd(status);
}

/** How long a stage took until `now`, all its stretches together; undefined if it is not known. */
export function timeInStage(view: AnalysisView, name: string, now: number): number | undefined {
  const stretches = view.stages.filter(({ stage }) => stage === name);
  if (stretches.length === 0) return undefined;
  let total = 0;
  for (const { startedAt, endedAt } of stretches) {
    total += Math.max(0, (endedAt ?? view.endedAt ?? now) - (startedAt ?? Number.NaN));
  }
  return Number.isNaN(total) ? undefined : total;
}

function viewOf(state: AnalysisState, whole: boolean): AnalysisView {
  // The oldest marks of a very long timeline are gone.
  const fromBeginning = whole && state.stages.length < STAGE_MARKS_KEPT;
  const stages = state.stages.map((span, index) => ({
    stage: span.stage,
    startedAt: index === 0 && !fromBeginning ? undefined : timeOf(span.started_at),
    endedAt: timeOf(span.ended_at),
  }));
  const { status, result, error } = state;
  const over = isEnd(status);
  return {
    status: status === "unknown" ? "running" : status,
    progress: status === "completed" ? 1 : (state.progress ?? 0),
    stage: state.current_stage,
    message: state.message ?? "",
    estimatedCompletion: state.estimated_completion,
    stages,
    counts: state,
    cancelRequested: state.cancel_requested,
    result: result?.event_type === "result_update" ? verdictOf(result) : undefined,
    data: result?.event_type === "result" ? result : undefined,
    error: error === null ? undefined : failureOf(error),
    startedAt: stages[0]?.startedAt,
    endedAt: over ? timeOf(result?.timestamp ?? error?.timestamp ?? state.updated_at) : undefined,
    updatedAt: timeOf(state.updated_at) ?? 0,
  };
}

function timeOf(iso: string | null): number | undefined {
  const time = Date.parse(iso ?? "");
  return Number.isNaN(time) ? undefined : time;
}

function verdictOf(result: ResultUpdate): Verdict {
  return {
    isFake: result.is_fake,
    confidence: result.confidence_score,
    framesProcessed: result.frames_processed,
    totalFrames: result.total_frames,
    processingTimeMs: result.processing_time_ms,
    regions: result.suspicious_regions.map(regionOf),
    hash: result.blockchain_hash,
  };
}

function regionOf(region: SuspiciousRegion & { readonly timecode?: unknown }): Region {
  const { x, y, width, height, confidence, timecode } = region;
  return {
    frameNumber: region.frame_number,
    x,
    y,
    width,
    height,
    confidence,
    type: region.region_type,
    timecode: typeof timecode === "string" ? timecode : undefined,
  };
}

function failureOf(error: ErrorEvent | StatusUpdate): Failure {
  if (error.event_type === "error") {
    return { code: error.error_code, message: error.error_message, details: error.error_details ?? {} };
  }
  return { code: undefined, message: error.error ?? error.message, details: {} };
}
