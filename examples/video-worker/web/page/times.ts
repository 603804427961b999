import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";

/** Milliseconds that a stage took, or has taken until `now`, all its stretches together; undefined before it began. */
export function timeInStage(state: AnalysisState, name: string, now: number): number | undefined {
  const stretches = state.stages.filter(({ stage }) => stage === name);
  const times = stretches.map(({ started_at, ended_at }) =>
    Math.max(0, (ended_at === null ? now : Date.parse(ended_at)) - Date.parse(started_at)),
  );
  const total = times.reduce((sum, time) => sum + time, 0);
  return times.length === 0 || Number.isNaN(total) ? undefined : total;
}

/** Milliseconds since the first stage began; undefined before. */
export function elapsed(state: AnalysisState, now: number): number | undefined {
  const [first] = state.stages;
  const time = first === undefined ? Number.NaN : now - Date.parse(first.started_at);
  return Number.isNaN(time) ? undefined : Math.max(0, time);
}
