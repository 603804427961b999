/** The most that one answer, read, batch or queue holds. Bytes are bytes of UTF-8. */
export interface ByteBudget {
  readonly items: number;
  readonly bytes: number;
}

/** Fills a budget item by item, in order. The first item is always taken: one that is too large alone must get through too. */
export class Filling {
  readonly #budget: ByteBudget;
  #items = 0;
  #bytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Takes an item of so many bytes. False if it does not fit any more: then nothing was taken. */
  take(bytes: number): boolean {
    const fits = this.#items < this.#budget.items && this.#bytes + bytes <= this.#budget.bytes;
    if (!fits && this.#items > 0) return false;
    this.add(bytes);
    return true;
  }

  /** Takes an item whether it fits or not. */
  add(bytes: number): void {
    this.#items++;
    this.#bytes += bytes;
  }

  get isFull(): boolean {
    return this.#items >= this.#budget.items || this.#bytes >= this.#budget.bytes;
  }

  /** How much more may be taken; neither is below 0. */
  get left(): ByteBudget {
    return {
      items: Math.max(0, this.#budget.items - this.#items),
      bytes: Math.max(0, this.#budget.bytes - this.#bytes),
    };
  }
}

/** As many of the first items as a budget holds, at least one if there is one. */
export function fill<Item>(
  items: Iterable<Item>,
  budget: ByteBudget,
  bytesOf: (item: Item) => number,
): Item[] {
  const filling = new Filling(budget);
  const taken: Item[] = [];
  for (const item of items) {
    if (!filling.take(bytesOf(item))) break;
    taken.push(item);
  }
  return taken;
}
