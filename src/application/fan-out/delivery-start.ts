import type { EventPosition } from "../../domain/event-position.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import { inOrder } from "./latest-events.ts";
import { indexAfter } from "./shared-history.ts";
import type { SurvivingHistory } from "./surviving-history.ts";

/** `latest`: the last status and the terminal event that stands; `all`: everything kept. */
export type ReplayMode = "latest" | "all" | "none";

/** Where a delivery begins: what is sent first, and where in the ring it goes on. */
export interface DeliveryStart {
  /** Sent first, from the index `from` on. Others may share it. */
  readonly replay: readonly PublishedEvent[];
  readonly from: number;
  /** Sequence number in the ring; may lie ahead of what has arrived, where the replay is ahead of the feed. */
  readonly cursor: number;
  /** Where the client stands before any of it is sent; undefined where only the replay will say. */
  readonly stands: EventPosition | undefined;
  /** Whether the client has the events up to there. */
  readonly hasSeen: boolean;
  /** Whether a terminal event that the client has already seen stands. */
  readonly terminalStands: boolean;
}

/** With nothing but what comes from `cursor` on. */
export function withWhatComes(cursor: number): DeliveryStart {
  return { replay: [], from: 0, cursor, stands: undefined, hasSeen: false, terminalStands: false };
}

/** On a history that has what the client has. */
export function goingOn(
  stands: EventPosition,
  hasSeen: boolean,
  { events, latest: { terminal } }: SurvivingHistory,
  cursor: number,
): DeliveryStart {
  const terminalStands = terminal !== undefined && terminal.position.offset <= stands.offset;
  return { replay: events, from: indexAfter(stands, events), cursor, stands, hasSeen, terminalStands };
}

/** On a history that is not the one the client knew. */
export function startingAfresh(
  mode: ReplayMode,
  { events, latest, position }: SurvivingHistory,
  cursor: number,
): DeliveryStart {
  const replay = mode === "all" ? events : mode === "latest" ? inOrder(latest) : [];
  const stands = replay.length === 0 ? position : undefined;
  return { replay, from: 0, cursor, stands, hasSeen: false, terminalStands: false };
}
