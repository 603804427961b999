import type { PublishedEvent } from "./channel-record.ts";
import type { EventPosition } from "./event-position.ts";

/** The part of a channel's state that a late joiner needs. */
export interface LatestState {
  /** The position of the last event; offset 0 before the first. */
  readonly position: EventPosition;
  readonly lastStatus: PublishedEvent | undefined;
  /** The last terminal event that was not reopened. */
  readonly currentTerminal: PublishedEvent | undefined;
}

export const NOTHING_PUBLISHED: LatestState = {
  position: { epoch: "", offset: 0 },
  lastStatus: undefined,
  currentTerminal: undefined,
};

export function latestAfter(latest: LatestState, event: PublishedEvent): LatestState {
  const { position } = event;
  const { lastStatus } = latest;
  const currentTerminal = event.reopens ? undefined : latest.currentTerminal;
  switch (event.kind) {
    case "status":
      return { position, lastStatus: event, currentTerminal: undefined };
    case "status_completed":
      return { position, lastStatus: event, currentTerminal };
    case "status_failed":
    case "status_cancelled":
      return { position, lastStatus: event, currentTerminal: event };
    case "result":
    case "data_result":
    case "error":
      return { position, lastStatus, currentTerminal: event };
    case "notice":
      return { position, lastStatus, currentTerminal: latest.currentTerminal };
  }
}

/** The last status and the current terminal event, in the order of their offsets, each once. */
export function latestEvents({ lastStatus, currentTerminal }: LatestState): PublishedEvent[] {
  if (lastStatus === undefined) return currentTerminal === undefined ? [] : [currentTerminal];
  if (currentTerminal === undefined || currentTerminal.position.offset === lastStatus.position.offset)
    return [lastStatus];
  return currentTerminal.position.offset < lastStatus.position.offset
    ? [currentTerminal, lastStatus]
    : [lastStatus, currentTerminal];
}

/** Whether the current terminal event lies at or before a position of the same history. */
export function hasCurrentTerminalAt({ currentTerminal }: LatestState, { offset }: EventPosition): boolean {
  return currentTerminal !== undefined && currentTerminal.position.offset <= offset;
}
