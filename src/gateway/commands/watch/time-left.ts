import type { AnalysisState } from "../../../domain/analysis-state.ts";

/** How much has to be done, and how long it has to have taken, before an estimate means something. */
const LEAST_PROGRESS = 0.01;
const LEAST_MS = 1_000;

/**
 * Estimates when an analysis ends: by its worker, or else by how fast it went from its beginning to its last event. All
 * times are those of the events, so the estimate does not depend on how fast they come here.
 */
export class TimeLeft {
  #begun: { readonly progress: number; readonly at: number } | undefined;
  #last: { readonly progress: number; readonly at: number } | undefined;
  #endsAt: number | undefined;

  /** Call it with each state that is folded. */
  note(state: AnalysisState): void {
    const at = timeOf(state.updated_at);
    const { progress } = state;
    if (state.status !== "running" || progress === null || at === undefined) return;
    // A worker that begins anew counts from there.
    if (this.#last !== undefined && progress < this.#last.progress) this.#begun = undefined;
    this.#last = { progress, at };
    this.#begun ??= beginningOf(state) ?? this.#last;
    this.#endsAt = timeOf(state.estimated_completion) ?? this.#byPace();
  }

  /** Seconds that are left at `now` (milliseconds since 1970); undefined if nobody can tell. */
  seconds(now: number): number | undefined {
    if (this.#endsAt === undefined || this.#endsAt <= now) return undefined;
    return (this.#endsAt - now) / 1000;
  }

  #byPace(): number | undefined {
    if (this.#begun === undefined || this.#last === undefined) return undefined;
    const done = this.#last.progress - this.#begun.progress;
    const took = this.#last.at - this.#begun.at;
    if (done < LEAST_PROGRESS || took < LEAST_MS) return undefined;
    return this.#last.at + ((1 - this.#last.progress) / done) * took;
  }
}

/** The start of the first stage, with nothing done; undefined if an analysis goes on from an earlier attempt. */
function beginningOf({
  stages,
}: AnalysisState): { readonly progress: number; readonly at: number } | undefined {
  const at = timeOf(stages[0]?.started_at ?? null);
  return stages.length > 1 && at !== undefined ? { progress: 0, at } : undefined;
}

function timeOf(text: string | null): number | undefined {
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
