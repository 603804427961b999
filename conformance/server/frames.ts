import type { AnalysisEvent } from "../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold } from "../../src/domain/analysis-state.ts";
import type { WrittenFrame } from "./case-format.ts";

export type Frame = { readonly event_type: string } & Readonly<Record<string, unknown>>;

const FOLDED = ["status_update", "result_update", "result", "error"];
const TIMESTAMP = "2026-11-24T10:00:00Z";

/** The fields that a case may leave out. */
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  status_update: {
    task_id: "task",
    progress: 0.5,
    current_stage: "model_inference",
    message: "working",
    estimated_completion: null,
    error: null,
    timestamp: TIMESTAMP,
  },
  result_update: {
    confidence_score: 0.9,
    frames_processed: 10,
    total_frames: 10,
    is_fake: true,
    processing_time_ms: 0,
    suspicious_regions: [],
    blockchain_hash: null,
    timestamp: TIMESTAMP,
  },
  result: { data: {}, timestamp: TIMESTAMP },
  error: {
    error_code: "out_of_memory",
    error_message: "no memory",
    error_details: null,
    timestamp: TIMESTAMP,
  },
  notice: { level: "info", message: "hello", data: null, timestamp: TIMESTAMP },
  heartbeat: { message: "ping", timestamp: TIMESTAMP },
  state_changed: { status: "stalled", silent_since: TIMESTAMP },
  cancel_requested: { requested_at: TIMESTAMP, user_id: "alice", reason: null },
};
/** The frames of nobody's analysis. */
const WITHOUT_ANALYSIS = ["notice", "heartbeat", "authenticated"];

/** Writes frames for an analysis, and folds them as the gateway does. */
export class FrameWriter {
  readonly #analysisId: string;
  /** The state that a client has after the frames so far; null before the first state. */
  folded: AnalysisState | null = null;
  #isVoid = true;

  constructor(analysisId: string) {
    this.#analysisId = analysisId;
  }

  /** The frames so far are void, and all until the next state. */
  begin(): void {
    this.#isVoid = true;
  }

  write(written: WrittenFrame): Frame {
    const [[event_type, fields] = ["", {}]] =
      typeof written === "string" ? [[written, {}] as const] : Object.entries(written);
    const frame = this.#frame(event_type, fields as Record<string, unknown>);
    this.#fold(frame);
    return frame;
  }

  #frame(event_type: string, { event_id, filler, ...given }: Record<string, unknown>): Frame {
    const analysis_id = this.#analysisId;
    const about = WITHOUT_ANALYSIS.includes(event_type) ? {} : { analysis_id };
    const id = event_id === undefined ? {} : { event_id };
    // A case says how large an event is to be, rather than have it.
    const fill = typeof filler === "number" ? { filler: "x".repeat(filler) } : {};
    if (event_type === "analysis_state") return { event_type, ...emptyState(analysis_id), ...given };
    if (event_type === "caught_up")
      return { event_type, analysis_id, last_event_id: this.folded?.last_event_id ?? "0", ...given };
    return { ...id, event_type, ...about, ...DEFAULTS[event_type], ...given, ...fill };
  }

  #fold(frame: Frame): void {
    const { event_type, event_id } = frame;
    if (event_type === "analysis_state") {
      const { event_type: _, ...state } = frame;
      this.folded = state as unknown as AnalysisState;
      this.#isVoid = false;
    } else if (this.#isVoid || this.folded === null || event_type === "notice") return;
    else if (FOLDED.includes(event_type)) this.folded = fold(this.folded, frame as unknown as AnalysisEvent);
    else if (typeof event_id === "string") this.folded = { ...this.folded, last_event_id: event_id };
    else if (event_type === "state_changed")
      this.folded = { ...this.folded, status: frame.status as AnalysisState["status"] };
    else if (event_type === "cancel_requested") {
      const { requested_at, user_id, reason } = frame;
      const cancel_requested = { requested_at, user_id, reason } as AnalysisState["cancel_requested"];
      this.folded = { ...this.folded, cancel_requested };
    }
  }
}
