/**
 * When each connection's token runs out, to the second (which is how tokens say it), rounded up. Finding the expired
 * costs the seconds since the last look or the number of different expiry times, whichever is less, and what expired;
 * never the number of connections.
 */
export class TokenExpiries {
  readonly #secondOf = new Map<string, number>();
  readonly #buckets = new Map<number, Set<string>>();
  /** The earliest time that may have a bucket. */
  #earliest = Number.POSITIVE_INFINITY;

  /** `at`: milliseconds since 1970. */
  set(id: string, at: number): void {
    this.forget(id);
    const second = Math.ceil(at / 1000);
    this.#secondOf.set(id, second);
    const bucket = this.#buckets.get(second);
    if (bucket === undefined) this.#buckets.set(second, new Set([id]));
    else bucket.add(id);
    this.#earliest = Math.min(this.#earliest, second);
  }

  forget(id: string): void {
    const second = this.#secondOf.get(id);
    if (second === undefined) return;
    this.#secondOf.delete(id);
    const bucket = this.#buckets.get(second);
    if (bucket?.delete(id) && bucket.size === 0) this.#buckets.delete(second);
    if (this.#buckets.size === 0) this.#earliest = Number.POSITIVE_INFINITY;
  }

  *expiredBy(now: number): Generator<string, void> {
    for (const second of this.#dueSeconds(Math.floor(now / 1000))) {
      yield* this.#buckets.get(second) ?? [];
    }
  }

  #dueSeconds(last: number): number[] {
    const due: number[] = [];
    if (last - this.#earliest < this.#buckets.size) {
      for (let second = this.#earliest; second <= last; second++) {
        if (this.#buckets.has(second)) due.push(second);
      }
    } else {
      // After a long pause, or with a clock set forward, there are fewer buckets than seconds to walk through.
      for (const second of this.#buckets.keys()) if (second <= last) due.push(second);
      due.sort((a, b) => a - b);
    }
    if (this.#buckets.size > 0 && last >= this.#earliest) this.#earliest = due[0] ?? last + 1;
    return due;
  }
}
