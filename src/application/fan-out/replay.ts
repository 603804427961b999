import {
  type EventPosition,
  type GivenPosition,
  isOnHistory,
  type KeptHistory,
  lastInCommon,
} from "../../domain/event-position.ts";
import { hasCurrentTerminalAt, type LatestState, latestEvents } from "../../domain/latest-state.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { ChannelFeed } from "./channel-feed.ts";
import type { HistoryStretch } from "./history-reader.ts";

/** The beginning that a watcher asked for. A good position makes the mode void. */
export interface ReplayRequest {
  /** `latest`: the last status and the current terminal event; `all`: everything kept. */
  readonly mode: "latest" | "all" | "none";
  /** Undefined if none was given. */
  readonly after: GivenPosition | undefined;
}

/** Where a delivery begins: the events that are sent first, and the place in the ring after them. */
export interface DeliveryStart {
  /** Undefined if there is nothing to replay. */
  readonly replay: Replaying | undefined;
  /** Sequence number in the ring; beyond the events that have arrived if the replay is ahead of the feed. */
  readonly cursor: number;
  /** The client's position before any of it is sent; undefined if only the replay will say. */
  readonly position: EventPosition | undefined;
  /** Whether the client has the events up to there. */
  readonly hasSeen: boolean;
  /** Whether the client has seen the current terminal event. */
  readonly hasCurrentTerminal: boolean;
}

/** One stretch of a replay on its way to one client. */
interface Replaying {
  readonly type: "replaying";
  /** Sent from the index `next` up to and without `to`. Others may share them. */
  readonly events: readonly PublishedEvent[];
  next: number;
  readonly to: number;
  /** Read when those are sent, at the client's pace. */
  readonly rest: ReplayRest | undefined;
  isReadingRest: boolean;
  /** Whether the socket took no more meanwhile. */
  isLagging: boolean;
}

/** The part of a replay that is still to be read of the history. */
interface ReplayRest {
  /** Undefined: from the oldest kept. */
  readonly after: EventPosition | undefined;
  /** The position of its last event: the ring has those that follow. */
  readonly until: EventPosition;
}

/** The source of a replay. `resumed` is as `connection_established` says it: null if no position was given. */
export type PreparedReplay =
  /** Nothing had to be read: it begins with the latest state, or with the next event. */
  | { readonly type: "state"; readonly resumed: false | null; readonly mode: "latest" | "none" }
  /** The ring has everything after the position, from `cursor` on. */
  | { readonly type: "ring"; readonly resumed: true; readonly after: EventPosition; readonly cursor: number }
  /** Read of the history; `after` undefined: from the oldest kept. */
  | {
      readonly type: "history";
      readonly resumed: boolean | null;
      readonly after: EventPosition | undefined;
      readonly history: HistoryStretch;
      /** Whether there was a current terminal event before the read: the client has it, or it is among the events. */
      readonly hasCurrentTerminal: boolean;
    };

/**
 * Reads the events of a replay while the delivery holds the ring, which keeps what is published meanwhile. Costs the
 * broker nothing for `latest` and `none` without a position, or if the ring has what follows the position. Watchers that
 * ask at the same time share one read. Rejects as the methods of `PubSubPort` do.
 */
export async function prepareReplay(
  feed: ChannelFeed,
  delivery: { holdFrom(sequence: number): void },
  { after, mode }: ReplayRequest,
  untilTerminal: boolean,
): Promise<PreparedReplay> {
  if (after !== undefined && after !== "unreadable") {
    const cursor = feed.sequenceAfter(after);
    if (cursor !== undefined) {
      delivery.holdFrom(cursor);
      return { type: "ring", resumed: true, after, cursor };
    }
    // Asked before the history, so that it is among the events read unless the client has it already.
    const hasCurrentTerminal = untilTerminal && (await feed.hasCurrentTerminal());
    const history = await feed.history(after);
    if (history.resumed) return { type: "history", resumed: true, after, history, hasCurrentTerminal };
  }
  const resumed = after === undefined ? null : false;
  if (mode !== "all") return { type: "state", resumed, mode };
  const history = await feed.history(undefined);
  return { type: "history", resumed, after: undefined, history, hasCurrentTerminal: false };
}

/**
 * Whether the client may be told that it was resumed. `survived` says whether its position survived a move of the history
 * since the replay was read; undefined if the history did not move.
 */
export function resumedOf(prepared: PreparedReplay, survived: boolean | undefined): boolean | null {
  return prepared.resumed === null || survived === undefined ? prepared.resumed : survived;
}

/** Whether the client has everything, the end of the analysis included. */
export function nothingLeft(prepared: PreparedReplay, feed: ChannelFeed): boolean {
  switch (prepared.type) {
    case "state":
      return false;
    case "ring":
      return prepared.cursor === feed.broadcaster.next && hasCurrentTerminalAt(feed.latest, prepared.after);
    case "history": {
      const { history, resumed, hasCurrentTerminal } = prepared;
      return resumed === true && hasCurrentTerminal && history.from >= history.events.length;
    }
  }
}

/** Where the delivery begins, taken in the same turn as it does. `held` is the cursor from which the ring was held. */
export function startOf(prepared: PreparedReplay, feed: ChannelFeed, held: number): DeliveryStart {
  const { next } = feed.broadcaster;
  switch (prepared.type) {
    case "state": {
      return startAfresh(prepared.mode, feed.latest, next);
    }
    case "ring": {
      const { after, cursor } = prepared;
      const hasCurrentTerminal = hasCurrentTerminalAt(feed.latest, after);
      return { ...startLive(cursor, after), hasSeen: true, hasCurrentTerminal };
    }
    case "history": {
      const { after, history, hasCurrentTerminal } = prepared;
      // Offsets have no holes, so the distance in offsets is the distance in the ring, also ahead of it. If the history
      // read is a new one that this node has not heard of, the distance means nothing: the ring held old events.
      const { newest } = history;
      const cursor = Math.max(held, next + newest.offset - feed.latest.position.offset);
      const position = after ?? (history.events.length === 0 ? newest : undefined);
      const replay = partOf(history, { after, until: newest });
      return { replay, cursor, position, hasSeen: after !== undefined, hasCurrentTerminal };
    }
  }
}

/** Begins with the events from `cursor` on. */
export function startLive(cursor: number, position?: EventPosition): DeliveryStart {
  return { replay: undefined, cursor, position, hasSeen: false, hasCurrentTerminal: false };
}

/** Resumes at a position of the client that is on the history of `latest`. */
function startAfter(
  position: EventPosition,
  hasSeen: boolean,
  latest: LatestState,
  cursor: number,
): DeliveryStart {
  const hasCurrentTerminal = hasCurrentTerminalAt(latest, position);
  const until = latest.position;
  const rest = position.offset < until.offset ? { after: position, until } : undefined;
  return { replay: replaying([], 0, 0, rest), cursor, position, hasSeen, hasCurrentTerminal };
}

/**
 * Goes on when the history may be another one than the client knew; undefined if something that the client has may be
 * lost, or something that it was to be sent.
 */
export function startOnSurviving(
  position: EventPosition,
  hasSeen: boolean,
  kept: KeptHistory,
  latest: LatestState,
  cursor: number,
): DeliveryStart | undefined {
  if (isOnHistory(position, kept)) return startAfter(position, hasSeen, latest, cursor);
  if (hasSeen) return undefined;
  const common = lastInCommon(position, kept);
  if (!isOnHistory(common, kept)) return undefined;
  // The client has nothing that could be lost, and all events since it began follow the part that both histories share.
  return { ...startAfter(common, false, latest, cursor), hasCurrentTerminal: false };
}

/** Begins anew, on a history that is not the one the client knew. */
export function startAfresh(mode: ReplayRequest["mode"], latest: LatestState, cursor: number): DeliveryStart {
  const { position } = latest;
  if (mode === "none" || position.offset === 0) return startLive(cursor, position);
  const events = mode === "all" ? [] : latestEvents(latest);
  const rest = mode === "all" ? { after: undefined, until: position } : undefined;
  const replay = replaying(events, 0, events.length, rest);
  return replay === undefined ? startLive(cursor, position) : { ...startLive(cursor), replay };
}

/** Undefined if there is nothing to replay. */
export function replaying(
  events: readonly PublishedEvent[],
  from: number,
  to: number,
  rest: ReplayRest | undefined,
): Replaying | undefined {
  if (from >= to && rest === undefined) return undefined;
  return { type: "replaying", events, next: from, to, rest, isReadingRest: false, isLagging: false };
}

/** The part of a stretch that belongs to a replay, and what of the replay is still to be read. */
export function partOf(
  { events, from }: HistoryStretch,
  { after, until }: ReplayRest,
): Replaying | undefined {
  const first = events[from]?.position.offset;
  const to = first === undefined ? from : Math.min(events.length, from + until.offset - first + 1);
  const reached = events[to - 1]?.position ?? after;
  const isMore = reached !== undefined && reached.offset < until.offset;
  return replaying(events, from, to, isMore ? { after: reached, until } : undefined);
}

/** Whether a stretch leads to where the replay is to end: if not, the history is another one by now. */
export function leadsTo({ resumed, events, newest }: HistoryStretch, until: EventPosition): boolean {
  const [first] = events;
  const end = first === undefined ? undefined : events[until.offset - first.position.offset];
  return (
    resumed && newest.offset >= until.offset && (end === undefined || end.position.epoch === until.epoch)
  );
}
