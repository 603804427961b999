import type { EventPosition, GivenPosition } from "../../domain/event-position.ts";
import type { AnalysisFeed } from "./analysis-feed.ts";
import type { Delivery } from "./delivery.ts";
import {
  type DeliveryStart,
  partOf,
  type ReplayMode,
  startingAfresh,
  withWhatComes,
} from "./delivery-start.ts";
import type { ReadHistory } from "./shared-history.ts";

/** What a watcher asked to begin with. A good position makes the mode void. */
export interface ReplayRequest {
  readonly mode: ReplayMode;
  /** Undefined where none was given. */
  readonly after: GivenPosition | undefined;
}

/** Where the replay comes from. `resumed` is as `connection_established` says it: null where no position was given. */
export type PreparedReplay =
  /** Nothing had to be read: it begins with the latest state, or with what comes. */
  | { readonly type: "state"; readonly resumed: false | null; readonly mode: "latest" | "none" }
  /** Everything after the position is in the ring, from `cursor` on. */
  | { readonly type: "ring"; readonly resumed: true; readonly after: EventPosition; readonly cursor: number }
  /** Read of the history; `after` undefined: from the oldest kept. */
  | {
      readonly type: "history";
      readonly resumed: boolean | null;
      readonly after: EventPosition | undefined;
      readonly history: ReadHistory;
      /** Whether a terminal event stood before the history was read: the client has it, or it is among the events. */
      readonly hasCurrentTerminal: boolean;
    };

/**
 * Reads what the replay needs, while the delivery holds the ring: what is published meanwhile is kept until it is
 * served. Costs the broker nothing for `latest` and `none` without a position, or where the ring has what follows it;
 * those who ask at the same time share one read.
 */
export async function prepareReplay(
  feed: AnalysisFeed,
  delivery: Delivery,
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

/** Whether the client may be told that it was resumed: as judged anew where the history moved after it was read. */
export function resumedOf(prepared: PreparedReplay, delivery: Delivery): boolean | null {
  const moved = delivery.movedWhileHeld;
  return prepared.resumed === null || moved === undefined ? prepared.resumed : moved === "survived";
}

/** Whether everything was sent before, the end of the analysis included. */
export function nothingLeft(prepared: PreparedReplay, feed: AnalysisFeed): boolean {
  switch (prepared.type) {
    case "state":
      return false;
    case "ring":
      return prepared.cursor === feed.broadcaster.next && feed.hasCurrentTerminalAt(prepared.after);
    case "history": {
      const { history, resumed, hasCurrentTerminal } = prepared;
      return resumed === true && hasCurrentTerminal && history.from >= history.events.length;
    }
  }
}

/** Where the delivery begins, taken in the same turn as it does. */
export function startOf(prepared: PreparedReplay, feed: AnalysisFeed, delivery: Delivery): DeliveryStart {
  const { next } = feed.broadcaster;
  switch (prepared.type) {
    case "state": {
      return startingAfresh(prepared.mode, feed.now(), next);
    }
    case "ring": {
      const { after, cursor } = prepared;
      const hasCurrentTerminal = feed.hasCurrentTerminalAt(after);
      return { ...withWhatComes(cursor, after), hasSeen: true, hasCurrentTerminal };
    }
    case "history": {
      const { after, history, hasCurrentTerminal } = prepared;
      // Offsets have no holes, so the distance in offsets is the distance in the ring, ahead of it included. Where the
      // history read is a new one that this node has not heard of, it says nothing: what the ring held before is old.
      const { newest } = history;
      const cursor = Math.max(delivery.cursor, next + newest.offset - feed.now().position.offset);
      const stands = after ?? (history.events.length === 0 ? newest : undefined);
      const replay = partOf(history, { after, until: newest });
      return { ...replay, cursor, stands, hasSeen: after !== undefined, hasCurrentTerminal };
    }
  }
}
