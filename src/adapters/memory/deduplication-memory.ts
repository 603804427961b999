import type { Place } from "../../domain/heard-contents.ts";

/** Where a request was stored the first time. */
export type FirstTime = Place;

interface Remembered extends Place {
  readonly until: number;
}

/**
 * Remembers the names of requests, each for as long as asked. Names of one group are remembered equally long, so the ones
 * to forget are at the front, and forgetting costs time in proportion to their number.
 */
export class DeduplicationMemory {
  readonly #groups = new Map<string, Map<string, Remembered>>();

  find(group: string, name: string, windowMs: number, now: number): FirstTime | undefined {
    const found = this.#groups.get(group)?.get(name);
    if (found === undefined || now >= found.until || now - found.at > windowMs) return undefined;
    return found;
  }

  remember(group: string, name: string, first: FirstTime, forMs: number): void {
    let names = this.#groups.get(group);
    if (names === undefined) {
      names = new Map();
      this.#groups.set(group, names);
    }
    names.delete(name);
    names.set(name, { ...first, until: first.at + forMs });
  }

  forgetExpired(now: number): void {
    for (const [group, names] of this.#groups) {
      for (const [name, { until }] of names) {
        if (now < until) break;
        names.delete(name);
      }
      if (names.size === 0) this.#groups.delete(group);
    }
  }
}
