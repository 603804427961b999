import {
  type EventPosition,
  type GivenPosition,
  isOnHistory,
  type KeptHistory,
  lastInCommon,
} from "../../domain/event-position.ts";
import { hasCurrentTerminalAt, type LatestState, latestEvents } from "../../domain/latest-state.ts";
import type { StateFrame } from "../ports/client-connection-port.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { ChannelFeed } from "./channel-feed.ts";
import type { HistoryStretch } from "./history-reader.ts";

/** The beginning that a watcher asked for. A good position makes the mode void. */
export interface ReplayRequest {
  /** `latest`: the last status and the current terminal event; `state`: the folded state; `all`: everything kept. */
  readonly mode: "latest" | "state" | "all" | "none";
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

type ReplayFrame = PublishedEvent | StateFrame;

/** One stretch of a replay on its way to one client. */
interface Replaying {
  readonly type: "replaying";
  /** Sent from the index `next` up to and without `to`. Others may share them. */
  readonly events: readonly ReplayFrame[];
  next: number;
  readonly to: number;
  /** Read when those are sent, at the client's pace. */
  readonly rest: ReplayRest | "state" | undefined;
  isReadingRest: boolean;
  /** Whether the socket took no more meanwhile. */
  isLagging: boolean;
}

/** The part of a replay that is still to be read of the history; `state` in its place is the folded state. */
interface ReplayRest {
  /** Undefined: from the oldest kept. */
  readonly after: EventPosition | undefined;
  /** The position of its last event: the ring has those that follow. */
  readonly until: EventPosition;
}

/**
 * The place in the ring after a position that the broker named, at or after `held`. Offsets have no holes, so the distance in
 * offsets is the distance in the ring, also ahead of it. If the position lies on a new history that this node has not heard
 * of, the distance means nothing: the ring held old events.
 */
export function placeAfter(
  { offset }: EventPosition,
  { latest, broadcaster }: Pick<ChannelFeed, "latest" | "broadcaster">,
  held: number,
): number {
  return Math.max(held, broadcaster.next + offset - latest.position.offset);
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
  if (mode === "state") return { ...startLive(cursor), replay: replaying([], 0, 0, "state") };
  if (mode === "none" || position.offset === 0) return startLive(cursor, position);
  const events = mode === "all" ? [] : latestEvents(latest);
  const rest = mode === "all" ? { after: undefined, until: position } : undefined;
  const replay = replaying(events, 0, events.length, rest);
  return replay === undefined ? startLive(cursor, position) : { ...startLive(cursor), replay };
}

/** Undefined if there is nothing to replay. */
export function replaying(
  events: readonly ReplayFrame[],
  from: number,
  to: number,
  rest: Replaying["rest"],
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
