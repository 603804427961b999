import { analysis, analysisId, connection, over, unknown } from "../page/watched-analysis.ts";
import { failureOf } from "../words/failure-details.ts";
import { percent } from "../words/percent.ts";
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
  const current = analysis.value;
  if (unknown.value)
    return refusals.value === undefined ? "Nothing is known of this analysis." : "Its events were refused.";
  if (current === undefined) return "";
  const { error, result } = current;
  if (error !== null) return `The analysis failed. ${failureOf(error).message}`;
  if (result?.event_type === "result_update") {
    const verdict = result.is_fake ? "manipulated" : "authentic";
    return `Verdict: ${verdict}, ${percent(result.confidence_score, 1)} confidence.`;
  }
  if (current.status === "cancelled") return "The analysis was cancelled.";
  if (result !== null) return `Result: ${result.summary ?? "the analysis is done"}.`;
  if (current.cancel_requested !== null) return "Cancel requested.";
  if (current.status === "stalled") return "No news from the worker.";
  return `Stage: ${stageLabel(current.current_stage)}.`;
}

function connectionNews(): string {
  if (over.value) return "";
  switch (connection.value.status) {
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
