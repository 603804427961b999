import type { ViewerList } from "../../domain/access-grant.ts";
import { isStatusKind, isTerminalKind, reopens } from "../../domain/event-kind.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { Fanout } from "./fanout.ts";
import type { FrameQueue, Outlet } from "./outlet.ts";

/** What a delivery asks of whoever made it. */
export interface DeliveryOwner {
  /** More waits than may be kept for this connection: it has to go (4009). */
  tooSlow(): void;
  /** Something already sent is not in the surviving history: say so before the replay that follows. */
  startsAfresh(): void;
  /** The end that `until=terminal` asked for: everything is sent, and a terminal event stands. */
  finished(): void;
  viewersChanged(viewers: ViewerList): void;
}

export interface DeliveryOptions {
  /** Whether the delivery ends with the analysis. */
  readonly untilTerminal: boolean;
  /** Whether statuses that wait may be left out in favour of a newer one, where the client does not keep up. */
  readonly conflates: boolean;
  /** Whether a restart replays the whole surviving history instead of the latest state. */
  readonly replaysAll: boolean;
}

/** Where a delivery begins: what is sent first, and where in the ring it goes on. */
export interface DeliveryStart {
  readonly replay: readonly PublishedEvent[];
  /** Sequence number in the ring; may lie ahead of what has arrived, where the replay is ahead of the feed. */
  readonly cursor: number;
  /** Whether a terminal event that the client has already seen stands. */
  readonly terminalStands: boolean;
}

/**
 * How much may wait for one connection beyond the event being sent, in characters. It waits in the ring that all
 * watchers of the channel share, so a thousand slow clients cost no more than one.
 */
export const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024;

/** One watcher's place on one channel: first the replay, then a cursor into the ring. */
export class Delivery implements FrameQueue {
  readonly #outlet: Outlet;
  readonly #fanout: Fanout;
  readonly #owner: DeliveryOwner;
  readonly #options: DeliveryOptions;
  #state: "held" | "running" | "stopped" = "held";
  #replay: readonly PublishedEvent[] = [];
  #replayed = 0;
  #cursor: number;
  #hasSent = false;
  #terminalStands = false;
  /** Whether something had to wait for the socket and not all of it is sent yet. */
  #lagging = false;
  #restartWhileHeld: DeliveryStart | undefined;

  /** From now on the ring keeps everything for it; nothing is sent before `begin`. */
  constructor(outlet: Outlet, fanout: Fanout, owner: DeliveryOwner, options: DeliveryOptions) {
    this.#outlet = outlet;
    this.#fanout = fanout;
    this.#owner = owner;
    this.#options = options;
    this.#cursor = fanout.next;
    fanout.add(this);
  }

  get cursor(): number {
    return this.#cursor;
  }

  get replaysAll(): boolean {
    return this.#options.replaysAll;
  }

  /** Whether the history was lost since the delivery was made and before it began. */
  get restartedWhileHeld(): boolean {
    return this.#restartWhileHeld !== undefined;
  }

  /** Begins at `start`, or with the surviving history where that was lost after `start` was read. */
  begin(start: DeliveryStart): void {
    if (this.#state !== "held") return;
    this.#state = "running";
    this.#startAt(this.#restartWhileHeld ?? start);
    this.#outlet.addSource(this);
    this.flush();
  }

  /** The history this watcher has seen did not survive: it is told, if it saw any of it, and starts with `replay`. */
  restart(replay: readonly PublishedEvent[]): void {
    const start = { replay, cursor: this.#fanout.next, terminalStands: false };
    this.#startAt(start);
    if (this.#state === "held") {
      this.#restartWhileHeld = start;
      return;
    }
    if (this.#hasSent) this.#owner.startsAfresh();
    this.#hasSent = false;
    this.flush();
  }

  viewersChanged(viewers: ViewerList): void {
    this.#owner.viewersChanged(viewers);
  }

  /** Idempotent. */
  stop(): void {
    this.#state = "stopped";
    this.#outlet.removeSource(this);
    this.#fanout.remove(this);
  }

  flush(): void {
    if (this.#state !== "running" || this.#outlet.gone) return;
    if (!this.#outlet.open) {
      this.#lagging = true;
      this.#skipSuperseded();
      if (this.#fanout.waitingFrom(this.#cursor) > MAX_WAITING_CHARACTERS) this.#owner.tooSlow();
      return;
    }
    this.#outlet.drainFrom(this);
    if (this.#next() !== undefined) return;
    this.#lagging = false;
    if (this.#options.untilTerminal && this.#terminalStands) this.#owner.finished();
  }

  peek(): string | undefined {
    return this.#next()?.text;
  }

  advance(): void {
    const event = this.#next();
    if (event === undefined) return;
    this.#hasSent = true;
    if (isTerminalKind(event.kind)) this.#terminalStands = true;
    else if (event.reopens || reopens(event.kind)) this.#terminalStands = false;
    if (this.#replay.length === 0) this.#cursor++;
    else this.#replayed++;
    if (this.#replayed < this.#replay.length) return;
    // Let go once it is sent: a whole history is not kept for as long as its reader stays.
    this.#replay = [];
    this.#replayed = 0;
  }

  get many(): boolean {
    return this.#replay.length - this.#replayed + Math.max(0, this.#fanout.next - this.#cursor) > 1;
  }

  #next(): PublishedEvent | undefined {
    const replayed = this.#replay[this.#replayed];
    if (replayed !== undefined) return replayed;
    if (this.#lagging) this.#skipSuperseded();
    return this.#fanout.at(this.#cursor);
  }

  /**
   * Passes over statuses that have a newer one in the ring: that one is sent at its own place, so event_ids go on
   * rising. One that reopens the analysis is never passed over, since without it what stood before would go on standing.
   */
  #skipSuperseded(): void {
    if (!this.#options.conflates) return;
    for (; this.#cursor < this.#fanout.lastStatus; this.#cursor++) {
      const event = this.#fanout.at(this.#cursor);
      if (event === undefined || event.reopens || !isStatusKind(event.kind) || isTerminalKind(event.kind))
        return;
    }
  }

  #startAt({ replay, cursor, terminalStands }: DeliveryStart): void {
    this.#replay = replay;
    this.#replayed = 0;
    this.#cursor = cursor;
    this.#terminalStands = terminalStands;
  }
}
