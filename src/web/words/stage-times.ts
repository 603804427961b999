import { type AnalysisState, isEnd } from "../../domain/analysis-state.ts";
import { STAGE_MARKS_KEPT } from "../../domain/stages.ts";

/** Milliseconds that a stage took, or has taken until `now`, all its stretches together; undefined if nobody knows. */
export function timeInStage(state: AnalysisState, name: string, now: number): number | undefined {
  const stretches = state.stages
    .map((span, index) => ({ ...span, isWhole: index > 0 || knowsBeginning(state) }))
    .filter(({ stage }) => stage === name);
  if (stretches.length === 0) return undefined;
  let total = 0;
  for (const { started_at, ended_at, isWhole } of stretches) {
    const end = timeOf(ended_at) ?? endedAt(state) ?? now;
    total += Math.max(0, isWhole ? end - (timeOf(started_at) ?? Number.NaN) : Number.NaN);
  }
  return Number.isNaN(total) ? undefined : total;
}

/** Milliseconds from the first stage to the end, or until `now`; undefined before the first, or if nobody knows. */
export function timeElapsed(state: AnalysisState, now: number): number | undefined {
  const startedAt = knowsBeginning(state) ? timeOf(state.stages[0]?.started_at) : undefined;
  return startedAt === undefined ? undefined : Math.max(0, (endedAt(state) ?? now) - startedAt);
}

/** The oldest stretches of a very long timeline are gone. */
function knowsBeginning({ stages }: AnalysisState): boolean {
  return stages.length < STAGE_MARKS_KEPT;
}

function endedAt({ status, result, error, updated_at }: AnalysisState): number | undefined {
  return isEnd(status) ? timeOf(result?.timestamp ?? error?.timestamp ?? updated_at) : undefined;
}

function timeOf(iso: string | null | undefined): number | undefined {
  const time = Date.parse(iso ?? "");
  return Number.isNaN(time) ? undefined : time;
}
