import type { WorkerClock } from "./event-way.ts";
import { REPORT_MS } from "./report-throttle.ts";

export interface TrackOptions {
  readonly stage?: string;
  /** The name of what is counted, as `frames`. */
  readonly unit?: string;
  /** How many items there will be; if left out, the `length` or `size` of the items, if they have one. */
  readonly total?: number;
  readonly message?: string;
}

interface Tracking {
  readonly clock: WorkerClock;
  /** Throws if the analysis was cancelled. */
  readonly check: () => void;
  /** So many items were worked on. */
  readonly report: (current: number) => void;
}

/** The same items, each counted when the loop asks for the next one. */
export class TrackedItems<Item> {
  readonly #items: Iterable<Item> | AsyncIterable<Item>;
  readonly #tracking: Tracking;

  constructor(items: Iterable<Item> | AsyncIterable<Item>, tracking: Tracking) {
    this.#items = items;
    this.#tracking = tracking;
  }

  /** For `for … of`. Nothing is sent while the loop does not give the runtime a turn. */
  *[Symbol.iterator](): Generator<Item, void, undefined> {
    if (!(Symbol.iterator in this.#items)) throw new TypeError("these items need `for await`");
    const counted = new CountedItems(this.#tracking);
    try {
      for (const item of this.#items) {
        this.#tracking.check();
        yield item;
        counted.add();
      }
    } finally {
      counted.report();
    }
  }

  /** For `for await … of`. Ten times a second it gives the runtime a turn, in which events are sent and a cancel is heard. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    const { check } = this.#tracking;
    const counted = new CountedItems(this.#tracking);
    try {
      // A loop with `for await` would wait twice for each item that is there already.
      if (Symbol.iterator in this.#items) {
        for (const item of this.#items) {
          check();
          yield item;
          if (counted.add()) await turn();
        }
        return;
      }
      for await (const item of this.#items) {
        check();
        yield item;
        if (counted.add()) await turn();
      }
    } finally {
      counted.report();
    }
  }
}

/** How many items of one loop were worked on. */
class CountedItems {
  readonly #tracking: Tracking;
  #count = 0;
  #next = 0;

  constructor(tracking: Tracking) {
    this.#tracking = tracking;
    this.report();
  }

  /** One more. Ten times a second it is reported, and the answer is true. */
  add(): boolean {
    this.#count += 1;
    const now = this.#tracking.clock.now();
    if (now < this.#next) return false;
    this.#next = now + REPORT_MS;
    this.report();
    return true;
  }

  report(): void {
    this.#tracking.report(this.#count);
  }
}

/** How many items there are, if they say so. */
export function sizeOf(items: object): number | undefined {
  if ("length" in items && typeof items.length === "number") return items.length;
  if ("size" in items && typeof items.size === "number") return items.size;
  return undefined;
}

/** Promises alone give the runtime no time for its sockets. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
