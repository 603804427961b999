import type { ViewerList } from "../../domain/access-grant.ts";
import { isStatusKind, isTerminalKind } from "../../domain/event-kind.ts";
import type { EventPosition, KeptHistory } from "../../domain/event-position.ts";
import type { LatestState } from "../../domain/latest-state.ts";
import { alone, type FailsAlone } from "../alone.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import { EventRing } from "./event-ring.ts";
import type { HistoryStretch } from "./history-reader.ts";

/** A reader of the ring. */
export interface RingReader extends FailsAlone {
  /** The sequence number of its next event: the ring keeps everything from there on. */
  readonly cursor: number;
  /** Events were pushed since the last call. */
  flush(): void;
  /** Whether the reader has begun and the history no longer has its position. */
  hasLost(kept: KeptHistory): boolean;
  /** Whether its position lies beyond an offset. */
  isBeyond(offset: number): boolean;
  /** The history may be another one than the broadcaster passed on: the reader goes on from it, or starts afresh. */
  moveTo(kept: KeptHistory, latest: LatestState): void;
  viewersChanged(viewers: ViewerList): void;
}

/** How many recent events a channel keeps on this node when nobody is behind. */
const KEPT_WHEN_IDLE = 32;
/** The same while watchers come back, and how long that is taken to last after one did. */
const KEPT_FOR_RETURNING = 1_000;
const RETURNING_MS = 10_000;
/** In characters, in either case. */
const KEPT_CHARACTERS = 256 * 1024;

/**
 * One channel's ring and its readers. Events pushed in one turn of the event loop go out together at its end, so that a
 * burst costs each socket one write. A reader that throws keeps nothing from the others.
 */
export class Broadcaster {
  readonly #ring = new EventRing();
  readonly #readers = new Set<RingReader>();
  readonly #onMoved = new Set<() => void>();
  readonly #onViewers = new Set<(viewers: ViewerList) => void>();
  #flushDue = false;
  #arrivals = 0;
  #returning = false;
  #cancelForget: (() => void) | undefined;
  /** The last stretch of history that was remembered: looked at once, however many readers share it. */
  #remembered: readonly PublishedEvent[] = [];
  /** The sequence number of the newest status; -1 before the first. */
  #lastStatus = -1;

  /** The sequence number that the next event will get. */
  get next(): number {
    return this.#ring.next;
  }

  /** The event at a sequence number; undefined if the ring dropped it or does not have it yet. */
  at(sequence: number): PublishedEvent | undefined {
    return this.#ring.at(sequence);
  }

  /** When the event at a sequence number was appended; undefined if it was not passed on as it happened. */
  appendedAt(sequence: number): number | undefined {
    return this.#ring.appendedAt(sequence);
  }

  /** At most `limit` events of the ring, from a sequence number on. */
  from(sequence: number, limit: number): PublishedEvent[] {
    const events: PublishedEvent[] = [];
    for (let at = sequence; at < Math.min(this.next, sequence + limit); at++) {
      const event = this.#ring.at(at);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /**
   * The first sequence number from `cursor` on whose event may not be left out. A status may if the ring has a newer one:
   * that one is sent at its own place, so event_ids go on rising. A status that reopens the analysis may not, since
   * without it the terminal event before it would remain current.
   */
  pastSuperseded(cursor: number): number {
    for (let at = cursor; at < this.#lastStatus; at++) {
      const event = this.#ring.at(at);
      if (event === undefined || event.reopens || !isStatusKind(event.kind) || isTerminalKind(event.kind))
        return at;
    }
    return Math.max(cursor, this.#lastStatus);
  }

  /** How much text the ring has from a sequence number on, in characters. */
  waitingFrom(sequence: number): number {
    return this.#ring.waitingFrom(sequence);
  }

  /**
   * The sequence number after a position; undefined if the ring does not have the very event of that position.
   * `newest` is the position of the last event.
   */
  sequenceAfter(after: EventPosition, newest: EventPosition): number | undefined {
    const sequence = this.next - (newest.offset - after.offset);
    const known = sequence === this.next ? newest : this.#ring.before(sequence);
    // Every history begins at offset 0: only an epoch says that this node has the one that is meant.
    if (after.offset === 0) return newest.offset === 0 ? sequence : undefined;
    return known?.offset === after.offset && known.epoch === after.epoch ? sequence : undefined;
  }

  /** The ring is empty: the first event that comes will follow `position`. */
  openAt(position: EventPosition): void {
    this.#ring.restart(position);
  }

  add(reader: RingReader): void {
    this.#readers.add(reader);
    this.#arrivals++;
  }

  remove(reader: RingReader): void {
    this.#readers.delete(reader);
  }

  /** To be called when a reader begins, since its position may lie beyond this node's. */
  noteBegun(): void {
    this.#arrivals++;
  }

  /** How often a reader was added or began. */
  get arrivals(): number {
    return this.#arrivals;
  }

  hasLost(kept: KeptHistory): boolean {
    for (const reader of this.#readers) if (reader.hasLost(kept)) return true;
    return false;
  }

  hasBeyond(offset: number): boolean {
    for (const reader of this.#readers) if (reader.isBeyond(offset)) return true;
    return false;
  }

  /** Calls `moved` once, when the next event comes or the history is lost, unless the returned function is called before. */
  onceMoved(moved: () => void): () => void {
    this.#onMoved.add(moved);
    return () => void this.#onMoved.delete(moved);
  }

  /** Calls `changed`, which must not throw, whenever viewers are declared, until the returned function is called. */
  onViewers(changed: (viewers: ViewerList) => void): () => void {
    this.#onViewers.add(changed);
    return () => void this.#onViewers.delete(changed);
  }

  /** `appendedAt` is in milliseconds since 1970, for an event that is passed on as it happens. */
  push(event: PublishedEvent, appendedAt?: number): void {
    if (isStatusKind(event.kind)) this.#lastStatus = this.#ring.next;
    this.#ring.push(event, appendedAt);
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => this.#flush());
  }

  /** Hands every reader the history that survived, and empties the ring. */
  moveTo(kept: KeptHistory, latest: LatestState): void {
    for (const reader of [...this.#readers]) alone(reader, () => reader.moveTo(kept, latest));
    this.#ring.restart(latest.position);
    this.#tellMoved();
  }

  viewersChanged(viewers: ViewerList): void {
    for (const reader of [...this.#readers]) alone(reader, () => reader.viewersChanged(viewers));
    for (const changed of [...this.#onViewers]) changed(viewers);
  }

  /** There is something new to tell after the events. It ends waits, as an event does. */
  announce(): void {
    this.#flush();
  }

  /** Keeps a stretch of the history for the watchers that come next. `newest` is the position of the last event. */
  remember(stretch: HistoryStretch, newest: EventPosition, clock: ClockPort): void {
    this.#prepend(stretch, newest);
    this.#cancelForget ??= clock.after(RETURNING_MS, () => {
      this.#cancelForget = undefined;
      this.#returning = false;
      this.#prune();
    });
  }

  /** Leaves no timer behind. */
  close(): void {
    this.#cancelForget?.();
  }

  #prepend({ events, start }: HistoryStretch, newest: EventPosition): void {
    const [first] = events;
    if (events === this.#remembered || first === undefined) return;
    this.#remembered = events;
    // Only a stretch that reaches the ring's oldest event is known to belong before it.
    const oldest = this.#ring.at(this.#ring.first);
    const joint = oldest?.position ?? newest;
    const index = joint.offset - first.position.offset;
    if (events[index]?.position.epoch !== joint.epoch) return;
    this.#ring.prepend(events.slice(0, oldest === undefined ? index + 1 : index), start);
    // Nobody follows a single watcher: ten thousand channels of one watcher must not keep all they read.
    this.#returning = this.#readers.size > 1;
    this.#prune();
  }

  #flush(): void {
    this.#flushDue = false;
    for (const reader of this.#readers) alone(reader, flush);
    this.#tellMoved();
    if (this.#ring.length > 2 * this.#kept || this.#ring.characters > 2 * KEPT_CHARACTERS) this.#prune();
  }

  get #kept(): number {
    return this.#returning ? KEPT_FOR_RETURNING : KEPT_WHEN_IDLE;
  }

  #tellMoved(): void {
    if (this.#onMoved.size === 0) return;
    const moved = [...this.#onMoved];
    this.#onMoved.clear();
    for (const tell of moved) tell();
  }

  #prune(): void {
    let needed = Math.max(this.#ring.next - this.#kept, this.#ring.within(KEPT_CHARACTERS));
    for (const reader of this.#readers) needed = Math.min(needed, reader.cursor);
    this.#ring.dropBefore(needed);
  }
}

/** One function for all: a channel of ten thousand watchers makes no closure for each. */
function flush(reader: RingReader): void {
  reader.flush();
}
