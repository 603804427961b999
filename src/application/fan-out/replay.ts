import type { GivenPosition } from "../../domain/event-position.ts";
import type { AnalysisFeed, ReadHistory } from "./analysis-feed.ts";
import type { Delivery, DeliveryStart } from "./delivery.ts";

export type ReplayMode = "latest" | "all" | "none";

/** What a watcher asked to begin with. A good position makes the mode void. */
export interface ReplayRequest {
  readonly mode: ReplayMode;
  /** Undefined where none was given. */
  readonly after: GivenPosition | undefined;
}

/** What was read of the history for it, as far as it had to be. */
export interface PreparedReplay {
  /** As `connection_established` says it: null where no position was given. */
  readonly resumed: boolean | null;
  readonly request: ReplayRequest;
  readonly history: ReadHistory | undefined;
  /** Whether a terminal event stood before the history was read: the client has it, or it is among the events. */
  readonly terminalStands: boolean;
}

/**
 * Reads what the replay needs, while the delivery holds the ring: what is published meanwhile is kept until it is
 * served. Costs the broker nothing for `latest` and `none` without a position.
 */
export async function prepareReplay(
  feed: AnalysisFeed,
  request: ReplayRequest,
  untilTerminal: boolean,
): Promise<PreparedReplay> {
  const { after, mode } = request;
  if (after !== undefined && after !== "unreadable") {
    // Asked before the history, so that it is among the events read unless the client has it already.
    const terminalStands = untilTerminal && (await feed.terminalStands());
    const history = await feed.history(after);
    if (history.resumed) return { resumed: true, request, history, terminalStands };
  }
  const resumed = after === undefined ? null : false;
  const history = mode === "all" ? await feed.history(undefined) : undefined;
  return { resumed, request, history, terminalStands: false };
}

/** Whether the client may be told that it was resumed: not where the history was lost after it was read. */
export function resumedOf(prepared: PreparedReplay, delivery: Delivery): boolean | null {
  return prepared.resumed === true && delivery.restartedWhileHeld ? false : prepared.resumed;
}

/** Where the delivery begins, taken in the same turn as it does. */
export function startOf(prepared: PreparedReplay, feed: AnalysisFeed, delivery: Delivery): DeliveryStart {
  const { request, history, terminalStands } = prepared;
  const { next } = feed.fanout;
  if (history === undefined) {
    return { replay: request.mode === "none" ? [] : feed.latest(), cursor: next, terminalStands };
  }
  // Offsets have no holes, so the distance in offsets is the distance in the ring, ahead of it included. Where the
  // history read is a new one that this node has not heard of, it says nothing: what the ring held before is old.
  const cursor = Math.max(delivery.cursor, next + history.end.offset - feed.position.offset);
  return { replay: history.events, cursor, terminalStands };
}
