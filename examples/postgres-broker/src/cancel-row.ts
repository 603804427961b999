import { type CurrentRun, cancelInForce, cancelOfText, runKept } from "telltale/adapter";
import type { CancelRequest, StageMark } from "telltale/ports";

/** A channel and its request to cancel, as far as it takes to judge the request. Null if there is none. */
export interface CancelRow {
  readonly last_offset: number | null;
  readonly stages: string | null;
  readonly run: string | null;
  readonly ended: boolean | null;
  readonly request: string | null;
}

export const NO_ROW = { last_offset: null, stages: null, run: null, ended: null } as const;

/** The request that is in force. */
export function cancelOf(row: CancelRow): CancelRequest | undefined {
  if (row.request === null) return undefined;
  const stages = stagesOf(row);
  return cancelInForce(cancelOfText(row.request), {
    offset: row.last_offset ?? 0,
    currentTerminal: row.ended === true ? true : undefined,
    stages,
    run: runOf(row.run, stages),
  });
}

export function stagesOf({ stages }: Pick<CancelRow, "stages">): readonly StageMark[] {
  return JSON.parse(stages ?? "[]") as StageMark[];
}

/** The run that a channel is in. A former release leaves the column as it is. */
export function runOf(text: string | null, stages: readonly StageMark[]): CurrentRun {
  return runKept(text === null ? undefined : (JSON.parse(text) as CurrentRun), stages);
}
