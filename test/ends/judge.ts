import type { Cell } from "./cell.ts";
import type { Event } from "./deployment.ts";

export interface Verdict {
  readonly faults: readonly string[];
  /** Between the moment from which the end could be known and its arrival at the watcher. */
  readonly seconds: number;
}

/** Waits for the end that is to come, then holds all that was watched and stored against what the worker's code said. */
export async function judge(cell: Cell, knownAt: () => number | undefined): Promise<Verdict> {
  const { watch, expected, deployment, analysisId } = cell;
  const faults: string[] = [];
  await cell.until("the watcher has the last state", () => watch.status === expected.status);
  const arrivedAt = watch.seen.at(-1)?.at ?? Number.NaN;
  await cell.processesEnd();
  let history = await deployment.history(analysisId);
  await cell
    .until(
      "the watcher has what is stored",
      async () => {
        history = await deployment.history(analysisId);
        return idsOf(watch.events) === idsOf(history);
      },
      SETTLED_WITHIN_MS,
    )
    .catch((error: Error) => faults.push(error.message));
  const state = await deployment.state(analysisId);
  const seconds = Math.max(0, arrivedAt - (knownAt() ?? Number.NaN)) / 1000;
  const { limit } = cell.bench.lengths;
  faults.push(
    ...endFaults(cell, state),
    ...numberFaults(cell, history),
    ...terminalFaults(cell, history),
    ...(expected.stalls && !watch.seenStalled ? ["nobody told that the worker was silent"] : []),
    ...(limit !== undefined && !(seconds <= limit) ? [`the end came ${seconds} s late`] : []),
  );
  return { faults: faults.length === 0 ? [] : [...faults, cell.report()], seconds };
}

function endFaults({ watch, expected }: Cell, state: Event): string[] {
  const { error_code, error_message } = (state.error ?? {}) as Event;
  const found = { status: state.status, code: error_code, message: error_message };
  const isRight =
    found.status === expected.status &&
    watch.status === expected.status &&
    found.code === expected.code &&
    (expected.message === undefined || found.message === expected.message);
  return isRight
    ? []
    : [
        `expected ${JSON.stringify(expected)}, the state says ${JSON.stringify(found)}, the watcher ${watch.status}`,
      ];
}

/** Each attempt has the numbers that its code said: all of them, once, in order. */
function numberFaults({ runs, name, isTask }: Cell, history: readonly Event[]): string[] {
  const stored = new Map<unknown, number[]>();
  for (const { attempt_id, number } of history) {
    if (typeof number !== "number") continue;
    stored.set(attempt_id, [...(stored.get(attempt_id) ?? []), number]);
  }
  const said = runs.flatMap((run) => run.said);
  // The run that was replaced goes on, and is refused.
  if (name === "redelivered" && !isTask && runs[0] !== undefined)
    said[0] = said[0]?.slice(0, runs[0].plan.hold) ?? [];
  const found = JSON.stringify([...stored.values()]);
  return found === JSON.stringify(said) ? [] : [`said were ${JSON.stringify(said)}, stored are ${found}`];
}

/** One end, and none but that. */
function terminalFaults({ expected }: Cell, history: readonly Event[]): string[] {
  const ends = history.flatMap(({ event_type, current_stage }) =>
    event_type !== "status_update"
      ? [event_type]
      : current_stage === "failed" || current_stage === "cancelled"
        ? [current_stage]
        : [],
  );
  const wanted = { completed: "result", failed: "error", cancelled: "cancelled" }[expected.status];
  return ends.length === 1 && ends[0] === wanted ? [] : [`the ends are ${ends.join(", ")}`];
}

/** An end may be followed by its stage `completed`, which is on its way yet. */
const SETTLED_WITHIN_MS = 20_000;

const idsOf = (events: readonly Event[]) => events.map(({ event_id }) => event_id).join(" ");
