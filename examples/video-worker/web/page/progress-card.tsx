import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { percent, remaining, stageLabel, WORK_STAGES } from "./format.ts";
import { now } from "./page-state.ts";

/** Stage, bar, message and what is left, as the worker tells them. */
export function ProgressCard({ state }: { readonly state: AnalysisState | undefined }) {
  const progress = state?.status === "completed" ? 1 : (state?.progress ?? 0);
  const left = remaining(state?.estimated_completion ?? null, now.value);
  return (
    <section class="card progress" aria-label="Progress">
      <header class="row">
        <h2 data-testid="stage" aria-live="polite">
          {stageLabel(state?.current_stage ?? null)}
        </h2>
        <b class="progress__share">{percent(progress)}</b>
      </header>
      <div
        class="bar"
        role="progressbar"
        aria-label="Analysis"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(progress * 100)}
        data-testid="progress"
      >
        <span style={{ width: `${progress * 100}%` }} />
      </div>
      <p class="row progress__message">
        <span>{state?.message ?? "The file is in the queue."}</span>
        <span class="progress__left">{left}</span>
      </p>
      <Steps stage={state?.current_stage ?? null} />
    </section>
  );
}

function Steps({ stage }: { readonly stage: string | null }) {
  const reached =
    stage === "completed" ? WORK_STAGES.length : WORK_STAGES.findIndex((step) => step.stage === stage);
  const kindOf = (index: number) => {
    if (index < reached) return "done";
    return index > reached ? "ahead" : "now";
  };
  return (
    <ol class="steps">
      {WORK_STAGES.map(({ stage, label }, index) => (
        <li key={stage} data-kind={kindOf(index)} aria-current={kindOf(index) === "now" ? "step" : undefined}>
          {label}
        </li>
      ))}
    </ol>
  );
}
