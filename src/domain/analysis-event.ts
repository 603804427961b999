import type { EventKind } from "./event-kind.ts";
import type { Stage } from "./stages.ts";

/** An event that passed every rule, encoded once. The broker stores an `event_id` and then `members`. */
export interface EncodedEvent {
  readonly kind: EventKind;
  /** `current_stage` of a status_update, else undefined. */
  readonly stage: string | undefined;
  /** ISO 8601, UTC, ending in `Z`. */
  readonly timestamp: string;
  readonly attemptId: string | undefined;
  /** The members of the JSON object after its opening brace: `"event_type":…}`. */
  readonly members: string;
}

/** Any event, as clients see it (fields a publisher added are in the text alone). Times are ISO 8601 in UTC. */
export type AnalysisEvent = StatusUpdate | ResultUpdate | DataResult | ErrorEvent | Notice;

export interface StatusUpdate extends EventOfAnalysis {
  readonly event_type: "status_update";
  readonly task_id: string;
  /** 0 to 1. */
  readonly progress: number;
  readonly current_stage: Stage;
  readonly message: string;
  readonly estimated_completion: string | null;
  readonly error: string | null;
  /** Counts, as `countsOf` reads them: a publisher may mean other things by these names. */
  readonly current?: unknown;
  readonly total?: unknown;
  readonly unit?: unknown;
}

export interface ResultUpdate extends EventOfAnalysis {
  readonly event_type: "result_update";
  /** 0 to 1. */
  readonly confidence_score: number;
  readonly frames_processed: number;
  readonly total_frames: number;
  readonly is_fake: boolean;
  readonly processing_time_ms: number;
  readonly suspicious_regions: readonly SuspiciousRegion[];
  readonly blockchain_hash: string | null;
}

/** The result of an analysis of any kind. */
export interface DataResult extends EventOfAnalysis {
  readonly event_type: "result";
  /** Any JSON but null. */
  readonly data: unknown;
  readonly summary: string | null;
}

/** A rectangle on one frame; all but `frame_number` and `region_type` are fractions of the frame, 0 to 1. */
export interface SuspiciousRegion {
  readonly frame_number: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly confidence: number;
  readonly region_type: string;
}

export interface ErrorEvent extends EventOfAnalysis {
  readonly event_type: "error";
  readonly error_code: string;
  readonly error_message: string;
  readonly error_details: JsonObject | null;
}

export interface Notice extends EventOfAnyChannel {
  readonly event_type: "notice";
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly data: JsonObject | null;
}

export type JsonObject = Readonly<Record<string, unknown>>;

interface EventOfAnalysis extends EventOfAnyChannel {
  /** Lower case. */
  readonly analysis_id: string;
}

interface EventOfAnyChannel {
  /** Present on every event that reaches a client; an event just decoded has none yet. */
  readonly event_id?: string;
  readonly timestamp: string;
  /** Names one run of the worker. */
  readonly attempt_id?: string;
}
