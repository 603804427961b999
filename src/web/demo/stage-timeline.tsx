import type { AnalysisState } from "../../domain/analysis-state.ts";
import { analysis, asOf, over } from "../page/watched-analysis.ts";
import { type Step, stepsOf } from "../words/stage-steps.ts";
import { timeInStage } from "../words/stage-times.ts";
import { duration, durationSoFar } from "../words/times.ts";
import { CheckIcon, CrossIcon } from "./icons.tsx";
import { isVideo } from "./page-state.ts";
import { stageLabel, WORKING_STAGES } from "./stage-labels.ts";

type Mark = "done" | "current" | "ahead" | "failed" | "cancelled";

export function StageTimeline() {
  const current = analysis.value;
  const steps = stepsOf(workedBy(current), isVideo.value ? WORKING_STAGES : []);
  if (steps.length === 0) return null;
  return (
    <section class="card timeline" aria-labelledby="stages-title">
      <h2 id="stages-title" class="card__title">
        Stages
      </h2>
      <ol class="timeline__list" data-testid="stages">
        {steps.map((step) => {
          const { stage } = step;
          const mark = markOf(step, current);
          return (
            <li
              key={stage}
              class={`step step--${mark}`}
              data-stage={stage}
              aria-current={mark === "current" ? "step" : undefined}
            >
              <span class="step__mark" aria-hidden="true">
                {mark === "done" && <CheckIcon />}
                {(mark === "failed" || mark === "cancelled") && <CrossIcon />}
              </span>
              <span class="step__label">
                {stageLabel(stage)}
                <span class="unseen">{SPOKEN[mark]}</span>
              </span>
              <span class="step__time">{timeIn(stage, current)}</span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

const SPOKEN: Record<Mark, string> = {
  done: ", done",
  current: ", now",
  ahead: ", to come",
  failed: ", failed here",
  cancelled: ", cancelled here",
};

function workedBy(state: AnalysisState | undefined): Parameters<typeof stepsOf>[0] {
  return { seen: state?.stages.map(({ stage }) => stage) ?? [], status: state?.status ?? "unknown" };
}

function markOf({ mark }: Step, state: AnalysisState | undefined): Mark {
  if (mark !== "stopped") return mark;
  return state?.status === "cancelled" ? "cancelled" : "failed";
}

/** A stage's time: what it took, or what it has taken so far; nothing if the page does not know its start. */
function timeIn(name: string, state: AnalysisState | undefined): string {
  if (state === undefined) return "";
  const time = timeInStage(state, name, asOf.value);
  if (time === undefined) return "";
  if (over.value || name !== state.current_stage) return duration(time);
  return time < 1000 ? "" : durationSoFar(time);
}
