import type { ViewerList } from "../../domain/access-grant.ts";
import { isStatusKind, isTerminalKind, reopens } from "../../domain/event-kind.ts";
import {
  type EventPosition,
  isOnHistory,
  type KeptHistory,
  lastInCommon,
} from "../../domain/event-position.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { Broadcaster } from "./broadcaster.ts";
import type { ConnectionWriter, FrameQueue } from "./connection-writer.ts";
import type { DeliveryOptions } from "./delivery-options.ts";
import type { DeliverySource } from "./delivery-source.ts";
import {
  type ChannelNow,
  type DeliveryStart,
  goingOn,
  leadsTo,
  partOf,
  startingAfresh,
} from "./delivery-start.ts";
import { PendingReplay } from "./pending-replay.ts";
import type { SurvivingHistory } from "./surviving-history.ts";

/** What a delivery asks of whoever made it. */
export interface DeliveryOwner {
  /** More waits than may be kept for this connection: it has to go (4009). */
  tooSlow(): void;
  /** Something already sent is not in the surviving history: say so before the replay that follows. */
  startsAfresh(): void;
  /** The end that `until=terminal` asked for: everything is sent, and a terminal event stands. */
  finished(): void;
  viewersChanged(viewers: ViewerList): void;
  /** Serving it threw: log it and end the connection. Never throws. */
  failed(error: unknown): void;
}

/**
 * How much may wait for one connection beyond the event being sent, in characters, over all that it watches. It waits
 * in the ring that all watchers of a channel share, so a thousand slow clients cost no more than one.
 */
export const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024;

/** One watcher's place on one channel: first the replay, then a cursor into the ring. */
export class Delivery implements FrameQueue {
  readonly #writer: ConnectionWriter;
  readonly #broadcaster: Broadcaster;
  readonly #owner: DeliveryOwner;
  readonly #options: DeliveryOptions;
  readonly #source: DeliverySource;
  #state: "held" | "running" | "stopped" = "held";
  /** Comes before what the ring has. */
  #replay: PendingReplay | undefined;
  #cursor: number;
  /** What stands before this in the ring belongs to the replay, which is never conflated. */
  #conflatedFrom: number;
  /** Of the last event the client was sent, or where it began; undefined until that is known. */
  #stands: EventPosition | undefined;
  /** Whether the client has anything of the history up to there: else nothing it has can be lost. */
  #hasSeen: boolean;
  #hasCurrentTerminal = false;
  /** Whether something had to wait for the socket and not all of it is sent yet. */
  #lagging = false;
  #movedWhileHeld: { readonly start: DeliveryStart; readonly how: "survived" | "afresh" } | undefined;

  /** From now on the ring keeps everything for it; nothing is sent before `begin`. */
  constructor(
    writer: ConnectionWriter,
    source: DeliverySource,
    owner: DeliveryOwner,
    options: DeliveryOptions,
  ) {
    this.#writer = writer;
    this.#source = source;
    this.#broadcaster = source.broadcaster;
    this.#owner = owner;
    this.#options = options;
    this.#cursor = this.#conflatedFrom = source.broadcaster.next;
    this.#stands = options.after;
    this.#hasSeen = options.after !== undefined;
    source.broadcaster.add(this);
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** Whether the history moved before the delivery began, and if so, whether the position the client gave survived. */
  get movedWhileHeld(): "survived" | "afresh" | undefined {
    return this.#movedWhileHeld?.how;
  }

  /** While it is held: the ring keeps everything from `sequence` on, which it still has. */
  holdFrom(sequence: number): void {
    if (this.#state === "held" && this.#movedWhileHeld === undefined) this.#cursor = sequence;
  }

  /** Begins at `start`, or with the surviving history where that moved after `start` was read. */
  begin(start: DeliveryStart): void {
    if (this.#state !== "held") return;
    this.#state = "running";
    this.#startAt(this.#movedWhileHeld?.start ?? start);
    this.#broadcaster.hasBegun();
    this.#writer.addSource(this);
    this.flush();
  }

  /** Whether the client stands where the history no longer goes. Of a delivery that has begun. */
  hasLost(kept: KeptHistory): boolean {
    return this.#state === "running" && this.#stands !== undefined && !isOnHistory(this.#stands, kept);
  }

  standsBeyond(offset: number): boolean {
    return this.#stands !== undefined && this.#stands.offset > offset;
  }

  /**
   * Goes on from where the client stands, if that is on the surviving history. If not, it starts afresh, and is told
   * so where it has anything that was lost.
   */
  moveTo(history: SurvivingHistory): void {
    const stands = this.#stands;
    const survives = stands !== undefined && isOnHistory(stands, history.kept);
    const cursor = this.#broadcaster.next;
    if (this.#state === "held") {
      const start = survives
        ? goingOn(stands, this.#hasSeen, history, cursor)
        : startingAfresh(this.#options.replayIfGone ?? this.#options.replay, history, cursor);
      this.#movedWhileHeld = { start, how: survives ? "survived" : "afresh" };
      this.#cursor = cursor;
    } else if (survives) {
      this.#startAt(goingOn(stands, this.#hasSeen, history, cursor));
    } else {
      const common = stands === undefined ? undefined : lastInCommon(stands, history.kept);
      const isNew = !this.#hasSeen && common !== undefined && isOnHistory(common, history.kept);
      // Nothing it has was lost, and all that came since it began follows what the histories have in common.
      if (isNew) this.#startAt({ ...goingOn(common, false, history, cursor), hasCurrentTerminal: false });
      else this.#startAfresh(history, stands !== undefined);
    }
    this.flush();
  }

  viewersChanged(viewers: ViewerList): void {
    this.#owner.viewersChanged(viewers);
  }

  /** The channel goes on without it. */
  failed(error: unknown): void {
    this.stop();
    this.#owner.failed(error);
  }

  /** Idempotent. */
  stop(): void {
    this.#state = "stopped";
    this.#writer.removeSource(this);
    this.#broadcaster.remove(this);
  }

  flush(): void {
    if (this.#state !== "running" || this.#writer.gone) return;
    if (!this.#writer.open) {
      this.#lagging = true;
      this.#skipSuperseded();
      const waiting = this.#writer.noteWaiting(this, this.#broadcaster.waitingFrom(this.#cursor));
      if (waiting > MAX_WAITING_CHARACTERS) this.#owner.tooSlow();
      return;
    }
    this.#writer.drainFrom(this);
    if (this.#next() !== undefined) return;
    if (this.#replay !== undefined) {
      this.#readRest(this.#replay).catch((error: unknown) => this.failed(error));
      return;
    }
    this.#lagging = false;
    if (this.#options.untilTerminal && this.#hasCurrentTerminal) this.#owner.finished();
  }

  peek(): PublishedEvent | undefined {
    return this.#next();
  }

  advance(): void {
    const event = this.#next();
    if (event === undefined) return;
    this.#stands = event.position;
    this.#hasSeen = true;
    if (isTerminalKind(event.kind)) this.#hasCurrentTerminal = true;
    else if (event.reopens || reopens(event.kind)) this.#hasCurrentTerminal = false;
    if (this.#replay === undefined) this.#cursor++;
    else this.#replay.advance();
    if (this.#replay?.isOver) this.#replay = undefined;
  }

  get many(): boolean {
    return (this.#replay?.left ?? this.#broadcaster.next - this.#cursor) > 1;
  }

  #next(): PublishedEvent | undefined {
    if (this.#replay !== undefined) return this.#replay.peek();
    if (this.#lagging) this.#skipSuperseded();
    return this.#broadcaster.at(this.#cursor);
  }

  /**
   * Passes over statuses that have a newer one in the ring: that one is sent at its own place, so event_ids go on
   * rising. One that reopens the analysis is never passed over, since without it what stood before would go on standing.
   */
  #skipSuperseded(): void {
    if (!this.#options.conflates || this.#cursor < this.#conflatedFrom) return;
    for (; this.#cursor < this.#broadcaster.lastStatus; this.#cursor++) {
      const event = this.#broadcaster.at(this.#cursor);
      if (event === undefined || event.reopens || !isStatusKind(event.kind) || isTerminalKind(event.kind))
        return;
    }
  }

  #startAt({ cursor, stands, hasSeen, hasCurrentTerminal, ...replay }: DeliveryStart): void {
    this.#replay = PendingReplay.of(replay);
    this.#cursor = cursor;
    this.#conflatedFrom = this.#broadcaster.next;
    this.#stands = stands;
    this.#hasSeen = hasSeen;
    this.#hasCurrentTerminal = hasCurrentTerminal;
  }

  /** The channel tries until the broker answers: rejects only if the connection itself throws. */
  async #readRest(replay: PendingReplay): Promise<void> {
    const { rest } = replay;
    const { replays } = this.#source;
    if (rest === undefined || replays === undefined || replay.restIsBeingRead) return;
    replay.restIsBeingRead = true;
    const read = await replays.readOn(rest.after);
    // Where the history moved meanwhile, it is another replay.
    if (this.#state !== "running" || this.#replay !== replay) return;
    replay.restIsBeingRead = false;
    if (!read.resumed) this.#startAfresh(replays.now(), true);
    else if (leadsTo(read, rest.until)) this.#replay = PendingReplay.of(partOf(read, rest));
    else return replays.doubt();
    this.flush();
  }

  /** Told of it, or not where it was sent nothing and what it is to be sent first comes now. */
  #startAfresh(now: ChannelNow, told: boolean): void {
    // Who asked for none has watched since: what it missed is in the state.
    const mode = this.#options.replay === "none" ? "latest" : this.#options.replay;
    this.#startAt(startingAfresh(mode, now, this.#broadcaster.next));
    if (told) this.#owner.startsAfresh();
  }
}
