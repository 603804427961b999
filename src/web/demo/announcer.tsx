import { percent } from "./format.ts";
import { analysisId, connection, over, unknown, view } from "./page-state.ts";
import { refusals } from "./refusals.ts";
import { stageLabel } from "./stage-labels.ts";

/** Tells screen readers what changed: a stage, the verdict, the connection; never every step of the bar. */
export function Announcer() {
  return (
    <>
      <p class="unseen" aria-live="polite" data-testid="announcer">
        {news()}
      </p>
      <p class="unseen" aria-live="polite">
        {analysisId.value === undefined ? "" : connectionNews()}
      </p>
    </>
  );
}

function news(): string {
  const current = view.value;
  if (unknown.value)
    return refusals.value === undefined ? "Nothing is known of this analysis." : "Its events were refused.";
  if (current === undefined) return "";
  if (current.status === "failed") return `The analysis failed. ${current.error?.message ?? ""}`;
  if (current.result !== undefined) {
    const { isFake, confidence } = current.result;
    return `Verdict: ${isFake ? "manipulated" : "authentic"}, ${percent(confidence)} confidence.`;
  }
  if (current.status === "cancelled") return "The analysis was cancelled.";
  if (current.data !== undefined) return `Result: ${current.data.summary ?? "the analysis is done"}.`;
  if (current.cancelRequested !== null) return "Cancel requested.";
  if (current.status === "stalled") return "No news from the worker.";
  return `Stage: ${stageLabel(current.stage)}.`;
}

function connectionNews(): string {
  if (over.value) return "";
  switch (connection.value.kind) {
    case "live":
      return "Connected.";
    case "waiting":
      return "Connection lost. Reconnecting.";
    case "refused":
      return "The gateway refused the connection.";
    default:
      return "";
  }
}
