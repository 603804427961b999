import { countWords } from "../words/count-words.ts";
import type { AnalysisView } from "./analysis-view.ts";
import { clockTime, duration } from "./format.ts";
import { asOf } from "./page-state.ts";

export function Bar({ progress, tone }: { progress: number; tone: "accent" | "good" | "bad" | "still" }) {
  const whole = Math.round(progress * 100);
  return (
    <div
      class={`bar bar--${tone}`}
      role="progressbar"
      aria-label="Progress of the analysis"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={whole}
      data-testid="progress"
    >
      <div class="bar__fill" style={{ transform: `translateX(${(progress - 1) * 100}%)` }} />
    </div>
  );
}

/** The counts of the worker, in its own unit. */
export function Counted({ analysis }: { analysis: AnalysisView }) {
  const counts = countWords(analysis.counts);
  if (counts === undefined) return null;
  return (
    <div>
      <dt>So far</dt>
      <dd data-testid="counts">{counts}</dd>
    </div>
  );
}

export function Elapsed({ analysis }: { analysis: AnalysisView }) {
  if (analysis.startedAt === undefined) return null;
  const { startedAt, endedAt } = analysis;
  return (
    <div>
      <dt>{endedAt === undefined ? "Elapsed" : "Ran for"}</dt>
      <dd data-testid="elapsed">
        {endedAt === undefined ? clockTime(asOf.value - startedAt) : duration(endedAt - startedAt)}
      </dd>
    </div>
  );
}
