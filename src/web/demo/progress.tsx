import { type AnalysisState, isEnd } from "../../domain/analysis-state.ts";
import { asOf } from "../page/watched-analysis.ts";
import { Fact } from "../parts/facts.tsx";
import { countWords } from "../words/count-words.ts";
import { timeElapsed } from "../words/stage-times.ts";
import { duration } from "../words/times.ts";
import { clockTime } from "./format.ts";

export function Bar({ progress, tone }: { progress: number; tone: Tone }) {
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

export type Tone = "accent" | "good" | "bad" | "still";

/** How much of the analysis is done, 0 to 1. */
export function doneOf({ status, progress }: AnalysisState): number {
  return status === "completed" ? 1 : (progress ?? 0);
}

/** The counts of the worker, in its own unit. */
export function Counted({ analysis }: { analysis: AnalysisState }) {
  const counts = countWords(analysis);
  if (counts === undefined) return null;
  return (
    <Fact name="So far" testId="counts">
      {counts}
    </Fact>
  );
}

export function Elapsed({ analysis }: { analysis: AnalysisState }) {
  const time = timeElapsed(analysis, asOf.value);
  if (time === undefined) return null;
  const over = isEnd(analysis.status);
  return (
    <Fact name={over ? "Ran for" : "Elapsed"} testId="elapsed">
      {over ? duration(time) : clockTime(time)}
    </Fact>
  );
}
