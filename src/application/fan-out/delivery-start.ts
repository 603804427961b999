import type { EventPosition } from "../../domain/event-position.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import { inOrder, type LatestEvents } from "./latest-events.ts";
import type { ReplayPart } from "./pending-replay.ts";
import type { ReadHistory } from "./shared-history.ts";

/** `latest`: the last status and the terminal event that stands; `all`: everything kept. */
export type ReplayMode = "latest" | "all" | "none";

/** What of a replay is still to be read of the history. */
export interface ReplayRest {
  /** Undefined: from the oldest kept. */
  readonly after: EventPosition | undefined;
  /** Of its last event: what follows that is in the ring. */
  readonly until: EventPosition;
}

/** Where a delivery begins: what is sent first, and where in the ring it goes on. */
export interface DeliveryStart {
  /** Sent first, from the index `from` up to and without `to`. Others may share it. */
  readonly replay: readonly PublishedEvent[];
  readonly from: number;
  readonly to: number;
  /** Follows when that is sent: read then, at the pace of the client. */
  readonly rest: ReplayRest | undefined;
  /** Sequence number in the ring; may lie ahead of what has arrived, where the replay is ahead of the feed. */
  readonly cursor: number;
  /** Where the client stands before any of it is sent; undefined where only the replay will say. */
  readonly stands: EventPosition | undefined;
  /** Whether the client has the events up to there. */
  readonly hasSeen: boolean;
  /** Whether a terminal event that the client has already seen stands. */
  readonly hasCurrentTerminal: boolean;
}

/** What this node has of a channel, when a client has to start afresh. */
export interface ChannelNow {
  readonly position: EventPosition;
  readonly latest: LatestEvents;
}

const NOTHING_SENT_FIRST = { replay: [], from: 0, to: 0, rest: undefined } as const;

/** With nothing but what comes from `cursor` on. */
export function withWhatComes(cursor: number, stands?: EventPosition): DeliveryStart {
  return { ...NOTHING_SENT_FIRST, cursor, stands, hasSeen: false, hasCurrentTerminal: false };
}

/** After a position that the client has, on a history that has it too. */
export function goingOn(
  stands: EventPosition,
  hasSeen: boolean,
  { position, latest: { terminal } }: ChannelNow,
  cursor: number,
): DeliveryStart {
  const hasCurrentTerminal = terminal !== undefined && terminal.position.offset <= stands.offset;
  const rest = stands.offset < position.offset ? { after: stands, until: position } : undefined;
  return { ...NOTHING_SENT_FIRST, rest, cursor, stands, hasSeen, hasCurrentTerminal };
}

/** On a history that is not the one the client knew. */
export function startingAfresh(
  mode: ReplayMode,
  { position, latest }: ChannelNow,
  cursor: number,
): DeliveryStart {
  const plain = withWhatComes(cursor, position);
  if (mode === "none" || position.offset === 0) return plain;
  if (mode === "all") return { ...plain, rest: { after: undefined, until: position }, stands: undefined };
  const replay = inOrder(latest);
  return replay.length === 0 ? plain : { ...plain, replay, to: replay.length, stands: undefined };
}

/** The part of what was read that belongs to a replay, and what of it is still to be read. */
export function partOf({ events: replay, from }: ReadHistory, { after, until }: ReplayRest): ReplayPart {
  const first = replay[from]?.position.offset;
  const to = first === undefined ? from : Math.min(replay.length, from + until.offset - first + 1);
  const reached = replay[to - 1]?.position ?? after;
  const isMore = reached !== undefined && reached.offset < until.offset;
  return { replay, from, to, rest: isMore ? { after: reached, until } : undefined };
}

/** Whether what was read leads to where the replay is to end: else the history is another one by now. */
export function leadsTo({ resumed, events, newest }: ReadHistory, until: EventPosition): boolean {
  const [first] = events;
  const end = first === undefined ? undefined : events[until.offset - first.position.offset];
  return (
    resumed && newest.offset >= until.offset && (end === undefined || end.position.epoch === until.epoch)
  );
}
