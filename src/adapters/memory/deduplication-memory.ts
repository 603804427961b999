import type { Place } from "../../domain/heard-contents.ts";

/** Where a request was stored the first time. */
export type FirstTime = Place;

interface Remembered extends Place {
  readonly until: number;
}

/**
 * Names seen before, each for as long as asked. Names of one lane are remembered equally long, so those to forget
 * stand at the front and forgetting costs time in proportion to what is forgotten.
 */
export class DeduplicationMemory {
  readonly #lanes = new Map<string, Map<string, Remembered>>();

  find(lane: string, name: string, windowMs: number, now: number): FirstTime | undefined {
    const found = this.#lanes.get(lane)?.get(name);
    if (found === undefined || now >= found.until || now - found.at > windowMs) return undefined;
    return found;
  }

  remember(lane: string, name: string, first: FirstTime, forMs: number): void {
    let names = this.#lanes.get(lane);
    if (names === undefined) {
      names = new Map();
      this.#lanes.set(lane, names);
    }
    names.delete(name);
    names.set(name, { ...first, until: first.at + forMs });
  }

  forgetExpired(now: number): void {
    for (const [lane, names] of this.#lanes) {
      for (const [name, { until }] of names) {
        if (now < until) break;
        names.delete(name);
      }
      if (names.size === 0) this.#lanes.delete(lane);
    }
  }
}
