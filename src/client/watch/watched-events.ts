import type {
  DataResult,
  ErrorEvent,
  Notice,
  ResultUpdate,
  StatusUpdate,
} from "../../domain/analysis-event.ts";
import type { AnalysisState } from "../../domain/analysis-state.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";

/** Events of the analysis and notices bear an `event_id`. */
type Delivered<Event> = Event & { readonly event_id: string };

/** The folded state: the first event of every watch. If it comes again, the history before it is void. */
export interface AnalysisStateEvent extends AnalysisState {
  readonly event_type: "analysis_state";
}

/** Everything that had happened when the watch began, or came back, was delivered. */
export interface CaughtUp {
  readonly event_type: "caught_up";
  readonly analysis_id: string;
  readonly last_event_id: string;
}

/** The worker fell silent, or gave a sign of life again. */
export interface StateChanged {
  readonly event_type: "state_changed";
  readonly analysis_id: string;
  readonly status: "stalled" | "running";
  /** ISO 8601 in UTC; null if it runs. */
  readonly silent_since: string | null;
}

/** Somebody asked for the end of the analysis. */
export interface CancelRequested extends CancelRequest {
  readonly event_type: "cancel_requested";
  readonly analysis_id: string;
}

/**
 * An event as it arrives, told apart by `event_type`. Fields that the publisher added are there as well, and so are events of a type
 * that this release does not know.
 */
export type WatchedEvent =
  | Delivered<StatusUpdate>
  | Delivered<ResultUpdate>
  | Delivered<DataResult>
  | Delivered<ErrorEvent>
  | Delivered<Notice>
  | AnalysisStateEvent
  | CaughtUp
  | StateChanged
  | CancelRequested;

/** A frame of the gateway, of any type. */
export interface Frame {
  readonly event_type: string;
  readonly [field: string]: unknown;
}

/** Undefined for a text that no gateway sends: something else is at that address. */
export function parseFrame(text: unknown): Frame | undefined {
  try {
    const frame = JSON.parse(text as string);
    return typeof frame?.event_type === "string" ? frame : undefined;
  } catch {
    return undefined;
  }
}
