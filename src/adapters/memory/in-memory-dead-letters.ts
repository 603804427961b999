import { createHash } from "node:crypto";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  type DeadLetter,
  type DeadLetterPort,
  identityOf,
  type KeptDeadLetter,
  keptFields,
  kindOfDeadLetter,
} from "../../application/ports/dead-letter-port.ts";
import type { InMemoryBroker } from "./in-memory-broker.ts";

interface InMemoryDeadLettersOptions {
  readonly broker: InMemoryBroker;
  readonly clock: ClockPort;
}

/** The dead letters within one process. */
export class InMemoryDeadLetters implements DeadLetterPort {
  readonly trouble = undefined;
  readonly #broker: InMemoryBroker;
  readonly #clock: ClockPort;

  constructor({ broker, clock }: InMemoryDeadLettersOptions) {
    this.#broker = broker;
    this.#clock = clock;
  }

  async keep(deadLetter: DeadLetter): Promise<void> {
    const now = this.#clock.now();
    const { seenDeadLetters: seen, keptDeadLetters } = this.#broker;
    const { text, windowMs, rememberMs } = identityOf(deadLetter);
    // The memory forgets the names of one group in the order in which it got them, so each time has a group of its own.
    const group = `dead_letter ${rememberMs}`;
    const digest = createHash("sha256").update(text).digest("base64");
    if (seen.find(group, digest, windowMs, now) !== undefined) return;
    seen.remember(group, digest, { epoch: "", firstOffset: 0, count: 1, at: now }, rememberMs);
    const at = new Date(now).toISOString();
    keptDeadLetters.add(kindOfDeadLetter(deadLetter.channel), { ...keptFields(deadLetter), at });
  }

  /** Gives those that there were when it began: they are in memory anyway, so there are no pages. */
  async *read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter> {
    const all = this.#broker.keptDeadLetters.all();
    yield* from === "oldest" ? all : all.reverse();
  }

  async find(id: string): Promise<KeptDeadLetter | undefined> {
    return this.#broker.keptDeadLetters.find(id);
  }

  async remove(id: string): Promise<boolean> {
    return this.#broker.keptDeadLetters.remove(id);
  }

  async close(): Promise<void> {}
}
