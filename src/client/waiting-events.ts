/** An event that was encoded. A status may be left out if too many wait; an end may not. */
export interface WaitingEvent {
  readonly kind: "status" | "end";
  readonly text: string;
}

export const MOST_WAITING = 1_000;
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** A body of the gateway has at most 1 MiB, and a character at most 3 bytes. */
const CHARACTERS_AT_ONCE = 256 * 1024;

/** The events of one analysis that wait to be sent: in order, and bounded. */
export class WaitingEvents {
  #events: WaitingEvent[] = [];
  #characters = 0;
  #takesStatuses = true;
  #dropped = 0;

  get length(): number {
    return this.#events.length;
  }

  /** If too many wait, the oldest status is dropped. */
  add(event: WaitingEvent): void {
    if (event.kind === "status" && !this.#takesStatuses) return;
    this.#events.push(event);
    this.#characters += event.text.length;
    while (this.#events.length > MOST_WAITING || this.#characters > MOST_CHARACTERS) {
      const oldest = this.#events.findIndex(({ kind }) => kind === "status");
      if (oldest === -1) break;
      this.#remove(oldest, 1);
      this.#dropped += 1;
    }
  }

  /** Takes out the oldest events, at most so many, and at least one if there is one. */
  take(most: number): WaitingEvent[] {
    let characters = 0;
    let count = 0;
    for (const { text } of this.#events) {
      characters += text.length;
      if (count > 0 && (count >= most || characters > CHARACTERS_AT_ONCE)) break;
      count += 1;
    }
    return this.#remove(0, count);
  }

  /** Puts events that were taken out before all others. */
  putBack(events: readonly WaitingEvent[]): void {
    const kept = this.#takesStatuses ? events : events.filter(isEnd);
    this.#events.unshift(...kept);
    for (const { text } of kept) this.#characters += text.length;
  }

  /** Leaves out every status from now on, also those that wait. */
  refuseStatuses(): void {
    this.#takesStatuses = false;
    this.putBack(this.#remove(0, this.#events.length));
  }

  /** How many statuses were dropped since this was asked last. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  #remove(from: number, count: number): WaitingEvent[] {
    const removed = this.#events.splice(from, count);
    for (const { text } of removed) this.#characters -= text.length;
    return removed;
  }
}

export function isEnd({ kind }: WaitingEvent): boolean {
  return kind === "end";
}
