import type { ClockPort } from "../../application/ports/clock-port.ts";
import { DEAD_LETTERS } from "../../application/ports/dead-letter-port.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import type { NatsLink } from "./nats-link.ts";
import { removeMessage } from "./remove-message.ts";
import { readBatch } from "./stream-batch.ts";
import { streamState } from "./stream-state.ts";

/** Headers alone: a few hundred bytes each. */
const HEADERS: ByteBudget = { items: 2_000, bytes: 1024 * 1024 };

interface Kept {
  readonly sequence: number;
  readonly kind: string;
  /** 0 for a marker, which is no dead letter. */
  readonly bytes: number;
}

/**
 * Makes room among the dead letters: if there are more than `DEAD_LETTERS`, the oldest goes of the kind that has the most.
 * It notes sequence, kind and size of each, and reads only those that were added since, unless some are missing.
 */
export class DeadLetterRoom {
  readonly #link: NatsLink;
  readonly #timers: ClockPort;
  readonly #stream: string;
  /** Oldest first. */
  #kept: Kept[] = [];
  #making: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(link: NatsLink, timers: ClockPort, stream: string) {
    this.#link = link;
    this.#timers = timers;
    this.#stream = stream;
  }

  /** Resolves when there is room again after all that was kept before the call. Calls at once share the work. */
  make(): Promise<void> {
    if (this.#making === undefined) {
      this.#making = this.#make().finally(() => {
        this.#making = undefined;
      });
      return this.#making;
    }
    // The work that is under way may have looked before.
    this.#next ??= this.#afterwards(this.#making);
    return this.#next;
  }

  /** The sequences of all dead letters, oldest first. */
  async sequences(): Promise<readonly number[]> {
    this.#kept = [];
    await this.#readOn();
    return this.#kept.filter(({ bytes }) => bytes > 0).map(({ sequence }) => sequence);
  }

  async #afterwards(making: Promise<void>): Promise<void> {
    await Promise.allSettled([making]);
    this.#next = undefined;
    await this.make();
  }

  async #make(): Promise<void> {
    const { messages, bytes } = await streamState(this.#link, this.#stream);
    if (messages <= DEAD_LETTERS.items && bytes <= DEAD_LETTERS.bytes) return;
    await this.#readOn();
    // More than there are now: others have removed some.
    if (this.#kept.length > (await streamState(this.#link, this.#stream)).messages) {
      this.#kept = [];
      await this.#readOn();
    }
    const dropped = this.#markers();
    dropped.push(...this.#tooMany(DEAD_LETTERS.items, () => 1));
    dropped.push(...this.#tooMany(DEAD_LETTERS.bytes, (one) => one.bytes));
    await Promise.all(dropped.map(({ sequence }) => removeMessage(this.#link, this.#stream, sequence)));
  }

  /** Notes those that follow the last one noted. */
  async #readOn(): Promise<void> {
    for (let pending = 1; pending > 0; ) {
      const from = (this.#kept.at(-1)?.sequence ?? 0) + 1;
      const options = { from, budget: HEADERS, headersOnly: true };
      const batch = await readBatch(this.#link, this.#timers, this.#stream, options);
      for (const { sequence, subject, size } of batch.messages)
        this.#kept.push({ sequence, kind: subject, bytes: size });
      pending = batch.messages.length === 0 ? 0 : batch.pending;
    }
  }

  /** Takes out all markers but the newest message of the stream. */
  #markers(): Kept[] {
    const newest = this.#kept.at(-1);
    const out = this.#kept.filter((one) => one.bytes === 0 && one !== newest);
    if (out.length > 0) this.#kept = this.#kept.filter((one) => one.bytes > 0 || one === newest);
    return out;
  }

  /** Takes out the oldest of the kind that has the most, until no more than `most` are left. */
  #tooMany(most: number, weigh: (one: Kept) => number): readonly Kept[] {
    const sums = new Map<string, number>();
    for (const one of this.#kept) sums.set(one.kind, (sums.get(one.kind) ?? 0) + weigh(one));
    let sum = [...sums.values()].reduce((all, ofKind) => all + ofKind, 0);
    const out = new Set<Kept>();
    while (sum > most) {
      const [largest] = [...sums].reduce((one, other) => (other[1] > one[1] ? other : one));
      const oldest = this.#kept.find((one) => one.kind === largest && !out.has(one));
      if (oldest === undefined) break;
      out.add(oldest);
      sums.set(largest, (sums.get(largest) ?? 0) - weigh(oldest));
      sum -= weigh(oldest);
    }
    if (out.size > 0) this.#kept = this.#kept.filter((one) => !out.has(one));
    return [...out];
  }
}
