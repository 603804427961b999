import type { WatchSnapshot } from "../../../src/client/sdk.ts";

/** All that a page was told of one analysis. */
export interface WatchRecord {
  /** The event_ids, in the order in which they came; null if it is shown snapshots alone. */
  readonly ids: string[] | null;
  /** The position of each state that the watch began with. */
  readonly begins: string[];
  readonly faults: string[];
  readonly connections: string[];
  readonly transports: string[];
  /** How often it was told of an end; null if nothing tells it. */
  completions: number | null;
  sawFailed: boolean;
  snapshot: WatchSnapshot;
  /** How the watch ended; undefined as long as it runs. */
  ended: string | undefined;
}

export function newRecord(snapshot: WatchSnapshot, hasEvents: boolean): WatchRecord {
  return {
    ids: hasEvents ? [] : null,
    begins: [],
    faults: [],
    connections: [],
    transports: [],
    completions: null,
    sawFailed: false,
    snapshot,
    ended: undefined,
  };
}

export function noteSnapshot(kept: WatchRecord, snapshot: WatchSnapshot): void {
  const { connection, analysis } = snapshot;
  if (kept.snapshot.analysis !== null && analysis === null) kept.faults.push("the state is gone");
  kept.snapshot = snapshot;
  kept.sawFailed ||= analysis?.status === "failed";
  if (kept.connections.at(-1) !== connection.status) kept.connections.push(connection.status);
  if (connection.status === "live" && kept.transports.at(-1) !== connection.transport)
    kept.transports.push(connection.transport);
  if (connection.status === "refused") kept.faults.push(`refused: ${connection.code} ${connection.reason}`);
}
