import type { AnalysisState } from "../../domain/analysis-state.ts";
import type { ConnectionStatus, WatchSnapshot } from "./watch-options.ts";

/** All that a page shows of an analysis in this state. */
export function snapshotOf(connection: ConnectionStatus, analysis: AnalysisState | null): WatchSnapshot {
  return {
    connection,
    analysis,
    stalled: analysis?.status === "stalled",
    cancelRequested: analysis?.cancel_requested ?? null,
  };
}
