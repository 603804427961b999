import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { percent, stageLabel } from "./format.ts";
import { startOver } from "./page-state.ts";

export type FailedState = AnalysisState & { readonly error: NonNullable<AnalysisState["error"]> };

/** Why the analysis ended without a verdict, and how far it had come. */
export function Failure({ state }: { readonly state: FailedState }) {
  const { error, current_stage: stage, progress } = state;
  const told = error.event_type === "error";
  return (
    <section class="card failure" role="alert" data-testid="failure">
      <h2>The analysis failed</h2>
      <p>{told ? error.error_message : (error.error ?? error.message)}.</p>
      <p class="failure__code">
        {told ? <code>{error.error_code}</code> : null}
        {stage === null || stage === "failed"
          ? null
          : ` at “${stageLabel(stage)}”, ${percent(progress ?? 0)}`}
      </p>
      <button type="button" class="button" onClick={startOver}>
        Try another video
      </button>
    </section>
  );
}

/** Nothing is to be seen here; `code` is a close code of the gateway, 0 for a fault before it. */
export function Refusal({ code, reason }: { readonly code: number; readonly reason: string }) {
  return (
    <section class="card failure" role="alert" data-testid="refusal">
      <h2>
        {code === 4003 || code === 4004 ? "This is not your analysis" : "The gateway cannot be watched"}
      </h2>
      <p>
        {code === 4003 || code === 4004
          ? "It belongs to another visitor, or it does not exist. Only who sent a video may watch its analysis."
          : `It said: ${reason === "" ? code : reason}`}
      </p>
      <button type="button" class="button" onClick={startOver}>
        Check a video
      </button>
    </section>
  );
}
