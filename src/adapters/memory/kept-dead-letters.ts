import {
  DEAD_LETTER_KINDS,
  type DeadLetterKind,
  type KeptDeadLetter,
} from "../../application/ports/dead-letter-port.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import { utf8Length } from "../../domain/utf8.ts";

/** The dead letters of a broker in memory. If there are too many, the oldest goes of the kind that has the most. */
export class KeptDeadLetters {
  readonly #budget: ByteBudget;
  readonly #kinds = new Map(
    DEAD_LETTER_KINDS.map((kind): [DeadLetterKind, KeptKind] => [kind, { kept: new Map(), bytes: 0 }]),
  );
  #added = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  add(kind: DeadLetterKind, fields: Omit<KeptDeadLetter, "id">): void {
    const of = this.#kinds.get(kind);
    if (of === undefined) return;
    const number = ++this.#added;
    const bytes = utf8Length(fields.channel + fields.payload + fields.reason + fields.at);
    of.kept.set(number, { deadLetter: { id: `${number}`, ...fields }, bytes });
    of.bytes += bytes;
    while (this.#sum(({ kept }) => kept.size) > this.#budget.items) this.#dropOldest(({ kept }) => kept.size);
    while (this.#sum((one) => one.bytes) > this.#budget.bytes) this.#dropOldest((one) => one.bytes);
  }

  /** Oldest first. */
  all(): KeptDeadLetter[] {
    const kept = [...this.#kinds.values()].flatMap((one) => [...one.kept]);
    return kept.sort(([one], [other]) => one - other).map(([, { deadLetter }]) => deadLetter);
  }

  find(id: string): KeptDeadLetter | undefined {
    for (const { kept } of this.#kinds.values()) {
      const found = kept.get(Number(id))?.deadLetter;
      if (found?.id === id) return found;
    }
    return undefined;
  }

  /** Answers whether there was one. */
  remove(id: string): boolean {
    if (this.find(id) === undefined) return false;
    for (const kind of this.#kinds.values()) drop(kind, Number(id));
    return true;
  }

  #sum(of: (kind: KeptKind) => number): number {
    return [...this.#kinds.values()].reduce((sum, kind) => sum + of(kind), 0);
  }

  #dropOldest(by: (kind: KeptKind) => number): void {
    const largest = [...this.#kinds.values()].reduce((most, kind) => (by(kind) > by(most) ? kind : most));
    const [oldest] = largest.kept.keys();
    if (oldest !== undefined) drop(largest, oldest);
  }
}

/** The dead letters of one kind by their numbers, oldest first. */
interface KeptKind {
  readonly kept: Map<number, { readonly deadLetter: KeptDeadLetter; readonly bytes: number }>;
  bytes: number;
}

function drop(kind: KeptKind, number: number): void {
  kind.bytes -= kind.kept.get(number)?.bytes ?? 0;
  kind.kept.delete(number);
}
