/**
 * Items that come due, each again after the same or a longer while, in buckets of `granularityMs`. Taking the due items
 * costs time in proportion to their number.
 */
export class DueQueue<Item> {
  readonly #granularityMs: number;
  readonly #buckets = new Map<number, Set<Item>>();
  readonly #bucketOf = new Map<Item, number>();
  #taken: number;

  constructor(granularityMs: number, now: number) {
    this.#granularityMs = granularityMs;
    this.#taken = Math.floor(now / granularityMs);
  }

  get size(): number {
    return this.#bucketOf.size;
  }

  /** Schedules an item, or moves it. It is never taken early, and at most one granularity late. */
  schedule(item: Item, dueAt: number): void {
    this.remove(item);
    const number = Math.max(this.#taken + 1, Math.ceil(dueAt / this.#granularityMs));
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(number, bucket);
    }
    bucket.add(item);
    this.#bucketOf.set(item, number);
  }

  remove(item: Item): void {
    const number = this.#bucketOf.get(item);
    if (number === undefined) return;
    this.#bucketOf.delete(item);
    const bucket = this.#buckets.get(number);
    bucket?.delete(item);
    if (bucket?.size === 0) this.#buckets.delete(number);
  }

  /** Removes and returns the items that are due by `now`. */
  take(now: number): Item[] {
    const until = Math.floor(now / this.#granularityMs);
    const due: Item[] = [];
    for (const number of this.#dueBuckets(until)) {
      for (const item of this.#buckets.get(number) ?? []) due.push(item);
      this.#buckets.delete(number);
    }
    for (const item of due) this.#bucketOf.delete(item);
    this.#taken = Math.max(this.#taken, until);
    return due;
  }

  /** After a long freeze there are fewer buckets than ticks gone by, so the shorter of the two is walked. */
  #dueBuckets(until: number): number[] {
    if (until - this.#taken > this.#buckets.size) {
      return [...this.#buckets.keys()].filter((number) => number <= until).sort((a, b) => a - b);
    }
    const numbers: number[] = [];
    for (let number = this.#taken + 1; number <= until; number++)
      if (this.#buckets.has(number)) numbers.push(number);
    return numbers;
  }
}
