import { type EventKind, reopens } from "./event-kind.ts";
import { STAGE_MARKS_KEPT, type StageMark } from "./stages.ts";

/** The run of a worker that a channel is in, as far as requests to cancel it go. */
export interface CurrentRun {
  /** A request belongs to the run if the channel had so many events when it was made, or more. */
  readonly since: number;
  /** The offset of the event that began the timeline; 0 before the first. */
  readonly begunAt: number;
}

export const NO_RUN: CurrentRun = { since: 0, begunAt: 0 };

/** A channel before an event. */
interface ChannelBefore {
  readonly offset: number;
  readonly currentTerminal: unknown;
  readonly stages: readonly StageMark[];
  readonly run: CurrentRun;
}

/** Whether users see the analysis as ended: a terminal event is current, or its last stage is `completed`, whose result may follow. */
export function isOver({
  currentTerminal,
  stages,
}: Pick<ChannelBefore, "currentTerminal" | "stages">): boolean {
  return currentTerminal !== undefined || stages.at(-1)?.stage === "completed";
}

/**
 * The run after one more event. The first event of all begins none: an analysis may be cancelled before anybody has heard
 * of it. Nor does an attempt that begins while the analysis is queued: it is the run that a user waited for.
 */
export function runAfter(before: ChannelBefore, kind: EventKind, isReopened: boolean): CurrentRun {
  const { offset, stages, run } = before;
  const at = offset + 1;
  if (offset === 0) return { since: 0, begunAt: at };
  const begunAt = isReopened ? at : run.begunAt;
  if (isOver(before)) return isReopened || reopens(kind) ? { since: at, begunAt } : run;
  if (!isReopened) return run;
  const last = stages.at(-1);
  if (last?.stage !== "queued") return { since: at, begunAt };
  return { since: stages.length === 1 ? run.since : last.offset, begunAt };
}

/**
 * The run as a broker keeps it. `kept` is undefined on a channel that a former release began. That release changes no run:
 * if the timeline began elsewhere, the run is that of the timeline.
 */
export function runKept(kept: CurrentRun | undefined, stages: readonly StageMark[]): CurrentRun {
  const begunAt = stages[0]?.offset;
  if (begunAt === undefined) return kept ?? NO_RUN;
  if (kept !== undefined && (stages.length >= STAGE_MARKS_KEPT || kept.begunAt === begunAt)) return kept;
  return { since: begunAt > 1 ? begunAt : 0, begunAt };
}
