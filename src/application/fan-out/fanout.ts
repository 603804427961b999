import type { ViewerList } from "../../domain/access-grant.ts";
import { isStatusKind } from "../../domain/event-kind.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { Delivery } from "./delivery.ts";
import { EventRing } from "./event-ring.ts";

/** How many recent events a channel keeps on this node when nobody is behind. */
const KEPT_WHEN_IDLE = 32;
/** And how much of them at most, in characters. */
const KEPT_CHARACTERS = 256 * 1024;

/**
 * One channel's ring and everybody who reads from it. Events pushed in one turn of the event loop go out together at
 * its end, so that a burst costs each socket one write.
 */
export class Fanout {
  readonly #ring = new EventRing();
  readonly #deliveries = new Set<Delivery>();
  readonly #moved = new Set<() => void>();
  #flushDue = false;
  #lastStatus = -1;

  get next(): number {
    return this.#ring.next;
  }

  /** The sequence number of the newest status; -1 before the first. */
  get lastStatus(): number {
    return this.#lastStatus;
  }

  at(sequence: number): PublishedEvent | undefined {
    return this.#ring.at(sequence);
  }

  waitingFrom(sequence: number): number {
    return this.#ring.waitingFrom(sequence);
  }

  add(delivery: Delivery): void {
    this.#deliveries.add(delivery);
  }

  remove(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
  }

  /** Calls `moved` once, when the next event comes or the history is lost, unless the returned function is called before. */
  onceMoved(moved: () => void): () => void {
    this.#moved.add(moved);
    return () => void this.#moved.delete(moved);
  }

  push(event: PublishedEvent): void {
    if (isStatusKind(event.kind)) this.#lastStatus = this.#ring.next;
    this.#ring.push(event);
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => this.#flush());
  }

  /** Whether somebody asked for the whole history, hence gets it again when it did not survive. */
  get replaysAll(): boolean {
    for (const delivery of this.#deliveries) if (delivery.replaysAll) return true;
    return false;
  }

  /**
   * Everybody starts afresh: what the ring holds is of a history that did not survive. With `latest`, or with `all`
   * for those who asked for the whole.
   */
  restart(latest: readonly PublishedEvent[], all: readonly PublishedEvent[]): void {
    for (const delivery of [...this.#deliveries]) delivery.restart(delivery.replaysAll ? all : latest);
    this.#ring.dropBefore(this.#ring.next);
    this.#tellMoved();
  }

  viewersChanged(viewers: ViewerList): void {
    for (const delivery of [...this.#deliveries]) delivery.viewersChanged(viewers);
  }

  #flush(): void {
    this.#flushDue = false;
    for (const delivery of this.#deliveries) delivery.flush();
    this.#tellMoved();
    if (this.#ring.length > 2 * KEPT_WHEN_IDLE || this.#ring.characters > 2 * KEPT_CHARACTERS) this.#prune();
  }

  #tellMoved(): void {
    if (this.#moved.size === 0) return;
    const moved = [...this.#moved];
    this.#moved.clear();
    for (const tell of moved) tell();
  }

  #prune(): void {
    const { next } = this.#ring;
    let needed = this.#ring.characters > 2 * KEPT_CHARACTERS ? next : next - KEPT_WHEN_IDLE;
    for (const delivery of this.#deliveries) needed = Math.min(needed, delivery.cursor);
    this.#ring.dropBefore(needed);
  }
}
