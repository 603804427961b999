import type { Stage } from "../domain/stages.ts";

/** The events of a publisher, spelled as on the wire. The gateway judges every field, and passes extra fields on. */

/** A `Date`, or ISO 8601 text; a time without a zone counts as UTC. */
export type Time = Date | string;

interface Common {
  /** The time of the event; if left out, the time when `send…` was called. */
  readonly timestamp?: Time;
  /** Names one run of the worker, 1 to 64 characters: events of an earlier run are then refused. */
  readonly attempt_id?: string;
  readonly [extra: string]: unknown;
}

export interface StatusUpdate extends Common {
  readonly task_id: string;
  /** 0 to 1. It may be left out if `current` and a `total` above 0 say it. */
  readonly progress?: number;
  /** One that the gateway's setting STAGES allows, or `queued`, `completed`, `failed`, `cancelled`. */
  readonly current_stage: Stage;
  readonly message: string;
  readonly estimated_completion?: Time | null;
  readonly error?: string | null;
  /** Counts, 0 or more, and what is counted, in at most 32 characters. */
  readonly current?: number;
  readonly total?: number;
  readonly unit?: string;
}

/** Place and size are fractions of the frame, 0 to 1. */
export interface SuspiciousRegion {
  readonly frame_number: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** 0 to 1. */
  readonly confidence: number;
  readonly region_type: string;
}

export interface ResultUpdate extends Common {
  /** 0 to 1. */
  readonly confidence_score: number;
  readonly is_fake: boolean;
  readonly frames_processed: number;
  /** At least `frames_processed`. */
  readonly total_frames: number;
  /** Whole milliseconds. */
  readonly processing_time_ms?: number;
  readonly suspicious_regions?: readonly SuspiciousRegion[];
  /** Hexadecimal. */
  readonly blockchain_hash?: string | null;
}

/** The result of an analysis of any kind. */
export interface Result extends Common {
  /** Any JSON but null. */
  readonly data: unknown;
  /** For people. */
  readonly summary?: string | null;
}

export interface ErrorUpdate extends Common {
  readonly error_code: string;
  readonly error_message: string;
  readonly error_details?: Readonly<Record<string, unknown>> | null;
}

export type PublishableEvent =
  | (StatusUpdate & { readonly event_type: "status_update" })
  | (ResultUpdate & { readonly event_type: "result_update" })
  | (Result & { readonly event_type: "result" })
  | (ErrorUpdate & { readonly event_type: "error" });

export interface NoticeToSend {
  /** The notice goes to everybody if left out. */
  readonly userId?: string;
  readonly level?: "info" | "warning" | "error";
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>> | null;
}
