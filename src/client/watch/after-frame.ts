import type { AnalysisEvent } from "../../domain/analysis-event.ts";
import { type AnalysisState, fold } from "../../domain/analysis-state.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { Frame } from "./watched-events.ts";

const FOLDED = /^(status_update|result(_update)?|error)$/;

/** The state after a frame that is none itself; undefined if the frame was there before, as with a read that waits. */
export function afterFrame(analysis: AnalysisState, frame: Frame): AnalysisState | undefined {
  const { event_type: type, event_id } = frame;
  if (typeof event_id === "string")
    return FOLDED.test(type)
      ? fold(analysis, frame as unknown as AnalysisEvent)
      : { ...analysis, last_event_id: event_id };
  if (type === "state_changed")
    return frame.status === analysis.status
      ? undefined
      : { ...analysis, status: frame.status as AnalysisState["status"] };
  if (type !== "cancel_requested") return analysis;
  const { requested_at, user_id, reason } = frame as unknown as CancelRequest;
  if (requested_at === analysis.cancel_requested?.requested_at) return undefined;
  return { ...analysis, cancel_requested: { requested_at, user_id, reason } };
}
