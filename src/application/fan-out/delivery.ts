import type { ViewerList } from "../../domain/access-grant.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { Fanout } from "./fanout.ts";
import type { FrameQueue, Outlet } from "./outlet.ts";

/** What a delivery asks of whoever made it. */
export interface DeliveryOwner {
  /** More waits than may be kept for this connection: it has to go (4009). */
  tooSlow(): void;
  /** Something already sent is not in the surviving history: say so before the replay that follows. */
  startsAfresh(): void;
  viewersChanged(viewers: ViewerList): void;
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
  #replay: readonly PublishedEvent[] = [];
  #replayed = 0;
  #cursor = 0;
  #hasSent = false;

  constructor(outlet: Outlet, fanout: Fanout, owner: DeliveryOwner) {
    this.#outlet = outlet;
    this.#fanout = fanout;
    this.#owner = owner;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** Begins with `replay`, then everything pushed from now on. Nothing can come between the two. */
  begin(replay: readonly PublishedEvent[]): void {
    this.#replay = replay;
    this.#replayed = 0;
    this.#cursor = this.#fanout.next;
    this.#outlet.addSource(this);
    this.#fanout.add(this);
    this.flush();
  }

  /** The history this watcher has seen did not survive: it is told, if it saw any of it, and starts with `replay`. */
  restart(replay: readonly PublishedEvent[]): void {
    if (this.#hasSent) this.#owner.startsAfresh();
    this.#replay = replay;
    this.#replayed = 0;
    this.#cursor = this.#fanout.next;
    this.flush();
  }

  viewersChanged(viewers: ViewerList): void {
    this.#owner.viewersChanged(viewers);
  }

  stop(): void {
    this.#outlet.removeSource(this);
    this.#fanout.remove(this);
  }

  flush(): void {
    if (this.#outlet.open) this.#outlet.drainFrom(this);
    else if (!this.#outlet.gone && this.#fanout.waitingFrom(this.#cursor) > MAX_WAITING_CHARACTERS)
      this.#owner.tooSlow();
  }

  peek(): string | undefined {
    return (this.#replay[this.#replayed] ?? this.#fanout.at(this.#cursor))?.text;
  }

  advance(): void {
    this.#hasSent = true;
    if (this.#replayed < this.#replay.length) this.#replayed++;
    else this.#cursor++;
  }

  get many(): boolean {
    return this.#replay.length - this.#replayed + this.#fanout.next - this.#cursor > 1;
  }
}
