import { createHash } from "node:crypto";
import { utf8Length } from "telltale/adapter";
import {
  type BrokerContext,
  DEAD_LETTERS,
  type DeadLetter,
  type DeadLetterPort,
  identityOf,
  type KeptDeadLetter,
  keptFields,
  kindOfDeadLetter,
} from "telltale/ports";
import type { KeptKind, Store } from "./store.ts";

type MinimalDeadLettersOptions = Pick<BrokerContext, "clock"> & { readonly store: Store };

/** The dead letters. `telltale/ports` cuts their fields, names their kinds, and says when two of them are the same. */
export class MinimalDeadLetters implements DeadLetterPort {
  readonly trouble = undefined;
  readonly #store: Store;
  readonly #clock: BrokerContext["clock"];

  constructor({ store, clock }: MinimalDeadLettersOptions) {
    this.#store = store;
    this.#clock = clock;
  }

  async keep(deadLetter: DeadLetter): Promise<void> {
    const now = this.#clock.now();
    const { text, windowMs, rememberMs } = identityOf(deadLetter);
    const digest = createHash("sha256").update(text).digest("base64");
    const seen = this.#store.deadLettersSeen.get(digest);
    if (seen !== undefined && now < seen.until && now - seen.at <= windowMs) return;
    this.#store.deadLettersSeen.set(digest, { at: now, until: now + rememberMs });

    const of = this.#store.deadLettersOf(kindOfDeadLetter(deadLetter.channel));
    const one = { id: this.#store.nextId(), ...keptFields(deadLetter), at: new Date(now).toISOString() };
    of.kept.push(one);
    of.bytes += bytesOf(one);
    this.#dropSurplus(({ kept }) => kept.length, DEAD_LETTERS.items);
    this.#dropSurplus(({ bytes }) => bytes, DEAD_LETTERS.bytes);
  }

  async *read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter> {
    const all = [...this.#store.deadLetters.values()].flatMap(({ kept }) => kept);
    all.sort((one, other) => Number(one.id) - Number(other.id));
    yield* from === "oldest" ? all : all.reverse();
  }

  async find(id: string): Promise<KeptDeadLetter | undefined> {
    const kinds = [...this.#store.deadLetters.values()];
    return kinds.flatMap(({ kept }) => kept).find((one) => one.id === id);
  }

  async remove(id: string): Promise<boolean> {
    return [...this.#store.deadLetters.values()].some((of) => {
      const index = of.kept.findIndex((one) => one.id === id);
      if (index >= 0) take(of, index);
      return index >= 0;
    });
  }

  async close(): Promise<void> {}

  /** The oldest goes of the kind that has the most, so that a flood of one kind takes nothing of another. */
  #dropSurplus(size: (of: KeptKind) => number, most: number): void {
    const kinds = [...this.#store.deadLetters.values()];
    while (kinds.reduce((sum, of) => sum + size(of), 0) > most)
      take(
        kinds.reduce((one, other) => (size(other) > size(one) ? other : one)),
        0,
      );
  }
}

function take(of: KeptKind, index: number): void {
  for (const one of of.kept.splice(index, 1)) of.bytes -= bytesOf(one);
}

function bytesOf({ channel, payload, reason, at }: KeptDeadLetter): number {
  return utf8Length(channel + payload + reason + at);
}
