import type { ClockPort } from "./ports/clock-port.ts";

/** What is offered to the broker until it is settled, in the order in which it came. */
export interface Offer {
  /** UTF-16 units it takes up while it waits. */
  readonly characters: number;
}

export interface IngestQueueOptions<Item extends Offer> {
  readonly clock: ClockPort;
  /** Called for all of a lot in one turn. Never rejects; `again` where the broker could not. */
  offer(item: Item): Promise<"done" | "again">;
  /** Milliseconds until it may be offered; whatever came after it waits as well. */
  heldFor(item: Item): number;
  /** Whether it is offered no more; whoever says so has counted it. */
  givenUp(item: Item): boolean;
  /** Told what was dropped because too much waits. */
  overflowed(item: Item): void;
}

const RETRY_MS = 250;
const MOST_WAITING_CHARACTERS = 64 * 1024 * 1024;
/** Offered at once: enough to fill a connection, few enough that a failure repeats little. */
const LOT_ITEMS = 256;
const LOT_CHARACTERS = 4 * 1024 * 1024;

/**
 * Offers in order, a lot at a time, and what the broker could not take again before anything that came after it. A
 * lot goes out in one turn, so that what it holds for one channel succeeds or fails together. At most 64 MiB wait:
 * the oldest are dropped first.
 */
export class IngestQueue<Item extends Offer> {
  readonly #options: IngestQueueOptions<Item>;
  readonly #waiting: Item[] = [];
  readonly #settling: (() => void)[] = [];
  /** Of what waits and of what is under way. */
  #characters = 0;
  #state: "idle" | "offering" | "pausing" = "idle";

  constructor(options: IngestQueueOptions<Item>) {
    this.#options = options;
  }

  /** Never throws. */
  add(item: Item): void {
    this.#characters += item.characters;
    this.#waiting.push(item);
    while (this.#characters > MOST_WAITING_CHARACTERS) {
      const oldest = this.#waiting.shift();
      if (oldest === undefined) break;
      this.#characters -= oldest.characters;
      this.#options.overflowed(oldest);
    }
    if (this.#state !== "idle") return;
    this.#state = "offering";
    queueMicrotask(() => void this.#offerAll());
  }

  /** Resolves when everything added until now is done or given up. */
  settled(): Promise<void> {
    if (this.#state === "idle") return Promise.resolve();
    return new Promise((resolve) => this.#settling.push(resolve));
  }

  async #offerAll(): Promise<void> {
    while (true) {
      const lot = this.#takeLot();
      const [next] = this.#waiting;
      if (lot.length === 0 && next !== undefined) return this.#pause(this.#options.heldFor(next));
      if (lot.length === 0) break;
      const outcomes = await Promise.all(lot.map((item) => this.#options.offer(item)));
      const again = lot.filter((_, index) => outcomes[index] === "again");
      for (const [index, { characters }] of lot.entries()) {
        if (outcomes[index] !== "again") this.#characters -= characters;
      }
      if (again.length === 0) continue;
      this.#waiting.unshift(...again);
      // Without a pause the retries would starve the very connection they wait for.
      return this.#pause(RETRY_MS);
    }
    this.#state = "idle";
    for (const resolve of this.#settling.splice(0)) resolve();
  }

  #takeLot(): Item[] {
    const lot: Item[] = [];
    let taken = 0;
    let characters = 0;
    for (const item of this.#waiting) {
      if (this.#options.givenUp(item)) {
        taken++;
        this.#characters -= item.characters;
        continue;
      }
      characters += item.characters;
      const fits = lot.length < LOT_ITEMS && (lot.length === 0 || characters <= LOT_CHARACTERS);
      if (!fits || this.#options.heldFor(item) > 0) break;
      taken++;
      lot.push(item);
    }
    this.#waiting.splice(0, taken);
    return lot;
  }

  #pause(milliseconds: number): void {
    this.#state = "pausing";
    this.#options.clock.after(milliseconds, () => {
      this.#state = "offering";
      void this.#offerAll();
    });
  }
}
