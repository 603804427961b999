import type { ViewerList } from "../../domain/access-grant.ts";
import { isStatusKind } from "../../domain/event-kind.ts";
import type { EventPosition, KeptHistory } from "../../domain/event-position.ts";
import { alone } from "../alone.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import type { Delivery } from "./delivery.ts";
import { EventRing } from "./event-ring.ts";
import type { ReadHistory } from "./shared-history.ts";
import type { SurvivingHistory } from "./surviving-history.ts";

/** How many recent events a channel keeps on this node when nobody is behind. */
const KEPT_WHEN_IDLE = 32;
/** And while watchers come back. */
const KEPT_FOR_RETURNING = 1_000;
/** How much of them at most, in characters. */
const KEPT_CHARACTERS = 256 * 1024;

/**
 * One channel's ring and everybody who reads from it. Events pushed in one turn of the event loop go out together at
 * its end, so that a burst costs each socket one write.
 */
export class Broadcaster {
  readonly #ring = new EventRing();
  readonly #deliveries = new Set<Delivery>();
  readonly #moved = new Set<() => void>();
  readonly #declared = new Set<(viewers: ViewerList) => void>();
  #flushDue = false;
  #arrivals = 0;
  #returning = false;
  /** What was last read of the history for somebody: looked at once, however many share it. */
  #remembered: readonly PublishedEvent[] = [];
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

  /** What was read of the history for some serves those who come next. `position` is that of the last event. */
  remember({ events, start }: ReadHistory, position: EventPosition): void {
    const [first] = events;
    if (events === this.#remembered || first === undefined) return;
    this.#remembered = events;
    // Only where it reaches what the ring has is it known to belong before it.
    const oldest = this.#ring.at(this.#ring.first);
    const joint = oldest?.position ?? position;
    const index = joint.offset - first.position.offset;
    if (events[index]?.position.epoch !== joint.epoch) return;
    this.#ring.prepend(events.slice(0, oldest === undefined ? index + 1 : index), start);
    // Who is alone will not be followed by others: ten thousand channels of one watcher must not keep all they read.
    this.#returning = this.#deliveries.size > 1;
    this.#prune();
  }

  /** Nobody comes back any more. */
  forgetEarlier(): void {
    this.#returning = false;
    this.#prune();
  }

  /** The first event that comes will follow `position`. */
  openAt(position: EventPosition): void {
    this.#ring.restart(position);
  }

  /** As `AnalysisFeed.sequenceAfter`; `position` is that of the last event. */
  sequenceAfter(after: EventPosition, position: EventPosition): number | undefined {
    const sequence = this.next - (position.offset - after.offset);
    const known = sequence === this.next ? position : this.#ring.before(sequence);
    // The beginning is that of every history: only an epoch says that this node has the one that is meant.
    if (after.offset === 0) return position.offset === 0 ? sequence : undefined;
    return known?.offset === after.offset && known.epoch === after.epoch ? sequence : undefined;
  }

  /** What it holds from a sequence number on, at most `limit`. */
  from(sequence: number, limit: number): PublishedEvent[] {
    const events: PublishedEvent[] = [];
    for (let at = sequence; at < Math.min(this.next, sequence + limit); at++) {
      const event = this.#ring.at(at);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  waitingFrom(sequence: number): number {
    return this.#ring.waitingFrom(sequence);
  }

  add(delivery: Delivery): void {
    this.#deliveries.add(delivery);
    this.#arrivals++;
  }

  remove(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
  }

  /** Calls `moved` once, when the next event comes or the history is lost, unless the returned function is called before. */
  onceMoved(moved: () => void): () => void {
    this.#moved.add(moved);
    return () => void this.#moved.delete(moved);
  }

  /** Calls `declared`, which must not throw, whenever viewers are declared, until the returned function is called. */
  onViewers(declared: (viewers: ViewerList) => void): () => void {
    this.#declared.add(declared);
    return () => void this.#declared.delete(declared);
  }

  push(event: PublishedEvent): void {
    if (isStatusKind(event.kind)) this.#lastStatus = this.#ring.next;
    this.#ring.push(event);
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => this.#flush());
  }

  /** How often a delivery came or began: each may stand where this node has not come to yet. */
  get arrivals(): number {
    return this.#arrivals;
  }

  hasBegun(): void {
    this.#arrivals++;
  }

  /** Whether somebody stands where the history no longer goes. */
  hasLost(kept: KeptHistory): boolean {
    for (const delivery of this.#deliveries) if (delivery.hasLost(kept)) return true;
    return false;
  }

  /** Whether somebody stands beyond the newest event. */
  hasBeyond(newest: number): boolean {
    for (const delivery of this.#deliveries) if (delivery.standsBeyond(newest)) return true;
    return false;
  }

  /**
   * The history may not be the one that this node passed on: who stands on the surviving one goes on from there, the
   * others start afresh.
   */
  moveTo(history: SurvivingHistory): void {
    for (const delivery of [...this.#deliveries]) alone(delivery, () => delivery.moveTo(history));
    this.#ring.restart(history.position);
    this.#tellMoved();
  }

  viewersChanged(viewers: ViewerList): void {
    for (const delivery of [...this.#deliveries]) alone(delivery, () => delivery.viewersChanged(viewers));
    for (const declared of [...this.#declared]) declared(viewers);
  }

  #flush(): void {
    this.#flushDue = false;
    for (const delivery of this.#deliveries) alone(delivery, flush);
    this.#tellMoved();
    if (this.#ring.length > 2 * this.#kept || this.#ring.characters > 2 * KEPT_CHARACTERS) this.#prune();
  }

  get #kept(): number {
    return this.#returning ? KEPT_FOR_RETURNING : KEPT_WHEN_IDLE;
  }

  #tellMoved(): void {
    if (this.#moved.size === 0) return;
    const moved = [...this.#moved];
    this.#moved.clear();
    for (const tell of moved) tell();
  }

  #prune(): void {
    let needed = Math.max(this.#ring.next - this.#kept, this.#ring.within(KEPT_CHARACTERS));
    for (const delivery of this.#deliveries) needed = Math.min(needed, delivery.cursor);
    this.#ring.dropBefore(needed);
  }
}

/** One function for all: a channel of ten thousand watchers makes no closure for each. */
function flush(delivery: Delivery): void {
  delivery.flush();
}
