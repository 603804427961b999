import type { ClockPort } from "./ports/clock-port.ts";

/** A message that waits until it is settled. */
export interface Waiting {
  /** UTF-16 units that it takes up while it waits. */
  readonly characters: number;
}

interface IngestQueueOptions<Item extends Waiting> {
  readonly clock: ClockPort;
  /** Called for all items of a batch in one turn. Never rejects. Resolves with `again` if the broker was away. */
  ingest(item: Item): Promise<"done" | "again">;
  /** Milliseconds until the item may be ingested. The items behind it wait as well. */
  heldFor(item: Item): number;
  /** Whether the item is not ingested any more. The callback has counted it then. */
  givenUp(item: Item): boolean;
  /** Told of each item that was dropped because too many wait. */
  overflowed(item: Item): void;
}

const RETRY_MS = 250;
const MOST_WAITING_CHARACTERS = 64 * 1024 * 1024;
/** The most of a batch: enough to fill a connection, few enough that a failure repeats little. */
const BATCH_ITEMS = 256;
const BATCH_CHARACTERS = 4 * 1024 * 1024;

/**
 * Ingests items in order, a batch at a time.
 *
 * - A batch goes out in one turn, so that its items of one channel succeed or fail together.
 * - An item that failed because the broker was away comes again before every item behind it.
 * - At most 64 MiB wait. The oldest are dropped first.
 */
export class IngestQueue<Item extends Waiting> {
  readonly #options: IngestQueueOptions<Item>;
  readonly #waiting: Item[] = [];
  readonly #settling: (() => void)[] = [];
  /** The characters that wait, and those under way. */
  #characters = 0;
  #state: "idle" | "ingesting" | "pausing" = "idle";

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
    this.#state = "ingesting";
    queueMicrotask(() => void this.#ingestAll());
  }

  /** Resolves when every item added until now is done or given up. */
  settled(): Promise<void> {
    if (this.#state === "idle") return Promise.resolve();
    return new Promise((resolve) => this.#settling.push(resolve));
  }

  async #ingestAll(): Promise<void> {
    while (true) {
      const batch = this.#takeBatch();
      const [next] = this.#waiting;
      if (batch.length === 0 && next !== undefined) return this.#pause(this.#options.heldFor(next));
      if (batch.length === 0) break;
      const outcomes = await Promise.all(batch.map((item) => this.#options.ingest(item)));
      const again = batch.filter((_, index) => outcomes[index] === "again");
      for (const [index, { characters }] of batch.entries()) {
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

  #takeBatch(): Item[] {
    const batch: Item[] = [];
    let taken = 0;
    let characters = 0;
    for (const item of this.#waiting) {
      if (this.#options.givenUp(item)) {
        taken++;
        this.#characters -= item.characters;
        continue;
      }
      characters += item.characters;
      const fits = batch.length < BATCH_ITEMS && (batch.length === 0 || characters <= BATCH_CHARACTERS);
      if (!fits || this.#options.heldFor(item) > 0) break;
      taken++;
      batch.push(item);
    }
    this.#waiting.splice(0, taken);
    return batch;
  }

  #pause(milliseconds: number): void {
    this.#state = "pausing";
    this.#options.clock.after(milliseconds, () => {
      this.#state = "ingesting";
      void this.#ingestAll();
    });
  }
}
