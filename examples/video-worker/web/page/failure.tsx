import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { SaidFacts } from "../../../../src/web/parts/facts.tsx";
import { Issues, TechnicalFailure } from "../../../../src/web/parts/technical.tsx";
import { failureDetails, failureOf } from "../../../../src/web/words/failure-details.ts";
import { percent } from "../../../../src/web/words/percent.ts";
import { stageLabel } from "./format.ts";
import { startOver } from "./page-state.ts";

export type FailedState = AnalysisState & { readonly error: NonNullable<AnalysisState["error"]> };

/** Why the analysis ended without a verdict, and how far it had come: in words first, then what its makers read. */
export function Failure({ state }: { readonly state: FailedState }) {
  const { error, current_stage: stage, progress } = state;
  const { code, message, details } = failureOf(error);
  const { said, issues, rest } = failureDetails(details);
  return (
    <section class="card failure" role="alert" data-testid="failure">
      <h2>The analysis failed</h2>
      <p>{/[.!?]$/.test(message) ? message : `${message}.`}</p>
      <Issues issues={issues} />
      {stage === null || stage === "failed" ? null : (
        <p class="failure__where">
          It had come to “{stageLabel(stage)}”, {percent(progress ?? 0)} of the whole.
        </p>
      )}
      {said.length === 0 ? null : (
        <dl class="facts">
          <SaidFacts said={said} />
        </dl>
      )}
      <button type="button" class="button" onClick={startOver}>
        Try another video
      </button>
      <TechnicalFailure code={code} rest={rest} />
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
