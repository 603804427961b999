import type { EventPosition } from "../../domain/event-position.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";

/**
 * The recent events of one channel on this node, shared by everyone who watches it: a watcher is a number into it.
 * Sequence numbers are the node's own and never go back, whatever happens to the channel's offsets.
 */
export class EventRing {
  #events: RingEvent[] = [];
  #first = 0;
  #before: EventPosition | undefined;
  #pushed = 0;

  /** The sequence number that the next event will get. */
  get next(): number {
    return this.#first + this.#events.length;
  }

  /** The sequence number of the oldest that it holds. */
  get first(): number {
    return this.#first;
  }

  get length(): number {
    return this.#events.length;
  }

  /** How much text it holds. */
  get characters(): number {
    return this.waitingFrom(this.#first);
  }

  /** `appendedAt` is in milliseconds since 1970; undefined if nobody knows it. */
  push(event: PublishedEvent, appendedAt?: number): void {
    this.#pushed += event.text.length;
    this.#events.push({ event, appendedAt, endsAt: this.#pushed });
  }

  /** The channel's position before the event at `sequence`; undefined if that is not known here. */
  before(sequence: number): EventPosition | undefined {
    return sequence === this.#first ? this.#before : this.at(sequence - 1)?.position;
  }

  /**
   * Puts events that came before the oldest in front of it, in their order: their numbers may be below 0. `before` is
   * the channel's position before them.
   */
  prepend(events: readonly PublishedEvent[], before: EventPosition | undefined): void {
    if (events.length === 0) return;
    this.#before = before;
    const oldest = this.#events[0];
    let endsAt = oldest === undefined ? this.#pushed : oldest.endsAt - oldest.event.text.length;
    const earlier: RingEvent[] = [];
    for (const event of events.toReversed()) {
      earlier.push({ event, appendedAt: undefined, endsAt });
      endsAt -= event.text.length;
    }
    this.#events = [...earlier.reverse(), ...this.#events];
    this.#first -= events.length;
  }

  /** The event at a sequence number; undefined if it was dropped or is not there yet. */
  at(sequence: number): PublishedEvent | undefined {
    return this.#events[sequence - this.#first]?.event;
  }

  /** When the event at a sequence number was appended; undefined if that is not known. */
  appendedAt(sequence: number): number | undefined {
    return this.#events[sequence - this.#first]?.appendedAt;
  }

  /** How much text waits from `sequence` on, in characters. */
  waitingFrom(sequence: number): number {
    if (sequence >= this.next) return 0;
    const before = this.#events[sequence - this.#first - 1];
    if (before !== undefined) return this.#pushed - before.endsAt;
    const oldest = this.#events[0];
    return oldest === undefined ? 0 : this.#pushed - oldest.endsAt + oldest.event.text.length;
  }

  /** The sequence number from which on at most so many characters wait. */
  within(characters: number): number {
    let sequence = this.next;
    while (sequence > this.#first && this.waitingFrom(sequence - 1) <= characters) sequence--;
    return sequence;
  }

  /** Drops everything before `sequence`. */
  dropBefore(sequence: number): void {
    const count = Math.min(Math.max(0, sequence - this.#first), this.#events.length);
    if (count === 0) return;
    this.#before = this.#events[count - 1]?.event.position;
    this.#events.splice(0, count);
    this.#first += count;
  }

  /** Drops everything: the next event follows `position`, maybe of another history. */
  restart(position: EventPosition): void {
    this.dropBefore(this.next);
    this.#before = position;
  }
}

interface RingEvent {
  readonly event: PublishedEvent;
  readonly appendedAt: number | undefined;
  /** Characters of all events ever pushed up to and including this one, so that waiting text is a subtraction. */
  readonly endsAt: number;
}
