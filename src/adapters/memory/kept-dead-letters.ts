import { type DeadLetterKind, LETTER_KINDS } from "../../application/dead-letter-kind.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import { utf8Length } from "../../domain/utf8.ts";

export interface KeptLetter {
  readonly channel: string;
  readonly payload: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

interface Kept {
  readonly letter: KeptLetter;
  readonly sequence: number;
  readonly bytes: number;
}

/** The dead letters of a broker in memory: what is too much goes, the oldest of the kind that has the most. */
export class KeptDeadLetters {
  readonly #budget: ByteBudget;
  readonly #kinds = LETTER_KINDS.map((kind) => ({ kind, kept: [] as Kept[], bytes: 0 }));
  #sequence = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  add(kind: DeadLetterKind, letter: KeptLetter): void {
    const bytes =
      utf8Length(letter.channel + letter.payload + letter.reason) + new Date(letter.at).toISOString().length;
    const of = this.#kinds.find((one) => one.kind === kind);
    of?.kept.push({ letter, sequence: this.#sequence++, bytes });
    if (of !== undefined) of.bytes += bytes;
    while (this.#sum(({ kept }) => kept.length) > this.#budget.items)
      this.#dropOldest(({ kept }) => kept.length);
    while (this.#sum((one) => one.bytes) > this.#budget.bytes) this.#dropOldest((one) => one.bytes);
  }

  /** Oldest first. */
  all(): KeptLetter[] {
    const kept = this.#kinds.flatMap((one) => one.kept);
    return kept.sort((one, other) => one.sequence - other.sequence).map(({ letter }) => letter);
  }

  #sum(of: (kind: KindOfLetters) => number): number {
    return this.#kinds.reduce((sum, kind) => sum + of(kind), 0);
  }

  #dropOldest(by: (kind: KindOfLetters) => number): void {
    const largest = this.#kinds.reduce((most, kind) => (by(kind) > by(most) ? kind : most));
    largest.bytes -= largest.kept.shift()?.bytes ?? largest.bytes;
  }
}

interface KindOfLetters {
  readonly kept: Kept[];
  bytes: number;
}
