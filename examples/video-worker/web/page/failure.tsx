import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { failureDetails } from "../../../../src/web/words/failure-details.ts";
import { percent, stageLabel } from "./format.ts";
import { startOver } from "./page-state.ts";

export type FailedState = AnalysisState & { readonly error: NonNullable<AnalysisState["error"]> };

/** Why the analysis ended without a verdict, and how far it had come: in words first, then what its makers read. */
export function Failure({ state }: { readonly state: FailedState }) {
  const { error, current_stage: stage, progress } = state;
  const told = error.event_type === "error";
  const message = told ? error.error_message : (error.error ?? error.message);
  const { said, issues, rest } = failureDetails((told ? error.error_details : null) ?? {});
  return (
    <section class="card failure" role="alert" data-testid="failure">
      <h2>The analysis failed</h2>
      <p>{/[.!?]$/.test(message) ? message : `${message}.`}</p>
      {issues.length === 0 ? null : (
        <ul>
          {issues.map((issue, index) => (
            <li key={`${index}-${issue}`}>{issue}</li>
          ))}
        </ul>
      )}
      {stage === null || stage === "failed" ? null : (
        <p class="failure__where">
          It had come to “{stageLabel(stage)}”, {percent(progress ?? 0)} of the whole.
        </p>
      )}
      {said.length === 0 ? null : (
        <dl class="facts">
          {said.map(({ label, value }) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <button type="button" class="button" onClick={startOver}>
        Try another video
      </button>
      {told ? (
        <p class="failure__code">
          Code <code>{error.error_code}</code>
        </p>
      ) : null}
      {rest === undefined ? null : (
        <details class="failure__code">
          <summary>More details</summary>
          <pre>{rest}</pre>
        </details>
      )}
    </section>
  );
}

/** Nothing is to be seen here; `code` is a close code of the gateway. */
export function Refusal({ code, reason }: { readonly code: number; readonly reason: string }) {
  const foreign = code === 4003 || code === 4004;
  return (
    <section class="card failure" role="alert" data-testid="refusal">
      <h2>{foreign ? "This is not your analysis" : "The gateway cannot be watched"}</h2>
      <p>
        {foreign
          ? "It belongs to another visitor, or it does not exist. Only who sent a video may watch its analysis."
          : `It said: ${reason === "" ? code : reason}`}
      </p>
      <button type="button" class="button" onClick={startOver}>
        Check a video
      </button>
    </section>
  );
}
