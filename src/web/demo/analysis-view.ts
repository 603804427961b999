import type {
  AnalysisEvent,
  ErrorEvent,
  StatusUpdate,
  SuspiciousRegion,
} from "../../domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold, type StageSpan } from "../../domain/analysis-state.ts";
import { stageIndex } from "./stage-labels.ts";

/** What the page shows of an analysis. Times are milliseconds since 1970. */
export interface AnalysisView {
  readonly status: "running" | "completed" | "failed";
  /** 0 to 1. */
  readonly progress: number;
  readonly stage: string | null;
  readonly message: string;
  readonly estimatedCompletion: string | null;
  readonly stages: readonly StageTime[];
  readonly result: Verdict | undefined;
  readonly error: Failure | undefined;
  /** Undefined where the page came too late to see the beginning. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly updatedAt: number;
}

export interface StageTime {
  readonly stage: string;
  readonly startedAt: number;
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

/** Folds the events of one analysis into what the page shows. */
export class FoldedAnalysis {
  #state: AnalysisState;
  /** Stages seen before the last restart: the replay that follows one begins in the middle. */
  #before: readonly StageSpan[] = [];

  constructor(analysisId: string) {
    this.#state = emptyState(analysisId);
  }

  take(event: AnalysisEvent): AnalysisView {
    this.#state = fold(this.#state, event);
    return viewOf(this.#state, joined(this.#before, this.#state.stages));
  }

  /** What follows is a replay: it is folded afresh, but the times of stages gone by stay on the page. */
  restart(): void {
    this.#before = joined(this.#before, this.#state.stages);
    this.#state = emptyState(this.#state.analysis_id);
  }
}

/** The stages before and after a restart, as one run; only those after, where the work has begun anew. */
function joined(before: readonly StageSpan[], after: readonly StageSpan[]): readonly StageSpan[] {
  const last = before.at(-1);
  const first = after[0];
  if (last === undefined || first === undefined) return after.length > 0 ? after : before;
  if (stageIndex(first.stage) < stageIndex(last.stage)) return after;
  const earlier = before.slice(0, -1);
  if (first.stage === last.stage) {
    return [...earlier, { ...first, started_at: last.started_at }, ...after.slice(1)];
  }
  return [...earlier, { ...last, ended_at: last.ended_at ?? first.started_at }, ...after];
}

function viewOf(state: AnalysisState, spans: readonly StageSpan[]): AnalysisView {
  const stages = spans.map((span) => ({
    stage: span.stage,
    startedAt: Date.parse(span.started_at),
    endedAt: span.ended_at === null ? undefined : Date.parse(span.ended_at),
  }));
  const { status, result, error } = state;
  const updatedAt = Date.parse(state.updated_at ?? "");
  const over = status === "completed" || status === "failed";
  return {
    status: over ? status : "running",
    progress: status === "completed" ? 1 : (state.progress ?? 0),
    stage: state.current_stage,
    message: state.message ?? "",
    estimatedCompletion: state.estimated_completion,
    stages,
    result: result === null ? undefined : verdictOf(result),
    error: error === null ? undefined : failureOf(error),
    startedAt: stages[0]?.stage === "initializing" ? stages[0].startedAt : undefined,
    endedAt: over ? Date.parse(result?.timestamp ?? error?.timestamp ?? state.updated_at ?? "") : undefined,
    updatedAt,
  };
}

function verdictOf(result: NonNullable<AnalysisState["result"]>): Verdict {
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
