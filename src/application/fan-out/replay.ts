import type { EventPosition } from "../../domain/event-position.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { AnalysisFeed, ReadHistory } from "./analysis-feed.ts";
import type { Delivery, DeliveryStart } from "./delivery.ts";

export type ReplayMode = "latest" | "all" | "none";

/** What a watcher asked to begin with. A good position makes the mode void. */
export interface ReplayRequest {
  readonly mode: ReplayMode;
  /** Undefined where none was given; `unreadable` is a position that cannot be one of ours, hence gone. */
  readonly after: EventPosition | "unreadable" | undefined;
}

/** What was read of the history for it, as far as it had to be. */
export interface PreparedReplay {
  /** As `connection_established` says it: null where no position was given. */
  readonly resumed: boolean | null;
  readonly request: ReplayRequest;
  readonly history: ReadHistory | undefined;
}

/**
 * Reads what the replay needs, while the delivery holds the ring: what is published meanwhile is kept until it is
 * served. Costs the broker nothing for `latest` and `none` without a position.
 */
export async function prepareReplay(feed: AnalysisFeed, request: ReplayRequest): Promise<PreparedReplay> {
  const { after, mode } = request;
  if (after !== undefined && after !== "unreadable") {
    const history = await feed.history(after);
    if (history.resumed) return { resumed: true, request, history };
  }
  const resumed = after === undefined ? null : false;
  const history = mode === "all" ? await feed.history(undefined) : undefined;
  return { resumed, request, history };
}

/** Whether the client may be told that it was resumed: not where the history was lost after it was read. */
export function resumedOf(prepared: PreparedReplay, delivery: Delivery): boolean | null {
  return prepared.resumed === true && delivery.restartedWhileHeld ? false : prepared.resumed;
}

/** Where the delivery begins, taken in the same turn as it does. */
export function startOf({ resumed, request, history }: PreparedReplay, feed: AnalysisFeed): DeliveryStart {
  const { next } = feed.fanout;
  if (history === undefined) {
    return { replay: request.mode === "none" ? [] : feed.latest(), cursor: next, terminalStands: false };
  }
  // Offsets have no holes, so the distance in offsets is the distance in the ring, ahead of it included.
  const cursor = next + history.end.offset - feed.position.offset;
  const terminalStands = resumed === true && stoodAt(request.after, feed, history.events);
  return { replay: history.events, cursor, terminalStands };
}

/** Whether the terminal event that the client had already seen stood when its replay was read. */
function stoodAt(
  after: ReplayRequest["after"],
  feed: AnalysisFeed,
  read: readonly PublishedEvent[],
): boolean {
  const { terminalOffset } = feed;
  if (terminalOffset === undefined || after === undefined || after === "unreadable") return false;
  return terminalOffset <= after.offset && !read.some((event) => event.reopens);
}
