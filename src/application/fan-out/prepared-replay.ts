import type { EventPosition } from "../../domain/event-position.ts";
import { hasCurrentTerminalAt } from "../../domain/latest-state.ts";
import type { StateFrame } from "../ports/client-connection-port.ts";
import type { ChannelFeed } from "./channel-feed.ts";
import type { HistoryStretch } from "./history-reader.ts";
import {
  type DeliveryStart,
  partOf,
  placeAfter,
  type ReplayRequest,
  replaying,
  startAfresh,
  startLive,
} from "./replay.ts";

/** The source of a replay. `resumed` is as `connection_established` says it: null if no position was given. */
export type PreparedReplay =
  /** Nothing had to be read: it begins with the latest state, or with the next event. */
  | { readonly type: "latest"; readonly resumed: false | null; readonly mode: "latest" | "none" }
  | { readonly type: "state"; readonly resumed: false | null; readonly frame: StateFrame }
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
    const hasCurrentTerminal = untilTerminal && (await feed.states.hasCurrentTerminal());
    const history = await feed.history(after);
    if (history.resumed) return { type: "history", resumed: true, after, history, hasCurrentTerminal };
  }
  const resumed = after === undefined ? null : false;
  if (mode === "state") return { type: "state", resumed, frame: await stateOf(feed) };
  if (mode !== "all") return { type: "latest", resumed, mode };
  const history = await feed.history(undefined);
  return { type: "history", resumed, after: undefined, history, hasCurrentTerminal: false };
}

async function stateOf(feed: ChannelFeed): Promise<StateFrame> {
  const { offset } = feed.latest.position;
  const frame = await feed.states.read();
  // As in `ChannelFeed.history`: the broker has lost what this node had, or is another one.
  if (frame.position.offset < offset) feed.resync("shorter_history");
  return frame;
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
    case "latest":
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
    case "latest":
      return startAfresh(prepared.mode, feed.latest, next);
    case "state": {
      const { frame } = prepared;
      return {
        ...startLive(placeAfter(frame.position, feed, held)),
        replay: replaying([frame], 0, 1, undefined),
      };
    }
    case "ring": {
      const { after, cursor } = prepared;
      const hasCurrentTerminal = hasCurrentTerminalAt(feed.latest, after);
      return { ...startLive(cursor, after), hasSeen: true, hasCurrentTerminal };
    }
    case "history": {
      const { after, history, hasCurrentTerminal } = prepared;
      const { newest } = history;
      const cursor = placeAfter(newest, feed, held);
      const position = after ?? (history.events.length === 0 ? newest : undefined);
      const replay = partOf(history, { after, until: newest });
      return { replay, cursor, position, hasSeen: after !== undefined, hasCurrentTerminal };
    }
  }
}
