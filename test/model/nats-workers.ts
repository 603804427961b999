import { entryId } from "../../src/adapters/nats/entry-ids.ts";

/** A message of a worker. */
export interface WorkerMessage {
  /** The id of the entry that it is. */
  readonly id: string;
  /** Only this message has it, also if another one has its sequence. */
  readonly note: string;
}

interface State {
  readonly creation: number;
  /** That of the newest message that there ever was. */
  readonly sequence: number;
  readonly messages: readonly WorkerMessage[];
}

export type WorkersChange = "lost" | "made anew" | "put back" | "set back";

/**
 * The stream of workers of the model, and how far it was taken. It may lose its newest messages, be made anew, or be put
 * back; or its clock may be set back. One stream does not suffer both, which docs/GUARANTEES.md leaves out.
 */
export class SimulatedWorkers {
  readonly #now: () => number;
  #state: State = { creation: 1, sequence: 0, messages: [] };
  #saved: State | undefined;
  #creations = 1;
  #notes = 0;
  #position: WorkerMessage | undefined;
  readonly #done = new Set<string>();
  readonly #lost = new Set<string>();
  #behindMs = 0;
  #hasLost = false;

  /** `now` is the server's clock in milliseconds. A message that is lost has another time than any that comes later. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The notes of all messages that were removed, or that wait, without those that were lost in between. */
  get due(): ReadonlySet<string> {
    const there = new Set([...this.#done, ...this.#state.messages.map(({ note }) => note)]);
    return there.difference(this.#lost);
  }

  publish(): void {
    const { creation, messages } = this.#state;
    const sequence = this.#state.sequence + 1;
    const nanoseconds = `${(this.#now() - this.#behindMs) * 1_000_000}`;
    const id = entryId(`mi4z000${creation}`, sequence, nanoseconds);
    this.#state = { creation, sequence, messages: [...messages, { id, note: `w${this.#notes++}` }] };
  }

  /** The oldest messages that were not taken, as far as the position tells. */
  batch(most: number): readonly WorkerMessage[] {
    const { messages } = this.#state;
    const from = messages.findIndex(({ id }) => id === this.#position?.id) + 1;
    return messages.slice(from, from + most);
  }

  /** Removes what lies before the last message of a batch that was taken, unless the stream has lost it. */
  removeTo(batch: readonly WorkerMessage[]): void {
    const { messages } = this.#state;
    const last = messages.findIndex(({ id }) => id === batch.at(-1)?.id);
    if (last === -1) return;
    for (const { note } of messages.slice(0, last + 1)) this.#done.add(note);
    this.#position = batch.at(-1);
    this.#state = { ...this.#state, messages: messages.slice(last) };
  }

  save(): void {
    this.#saved = this.#state;
  }

  change(change: WorkersChange, count: number): void {
    const before = this.#state;
    const { creation, sequence, messages } = before;
    if (change === "set back") {
      if (!this.#hasLost) this.#behindMs += count * 1_000;
      return;
    }
    if (this.#behindMs > 0) return;
    this.#hasLost = true;
    switch (change) {
      case "lost": {
        const rest = messages.slice(0, Math.max(0, messages.length - count));
        this.#state = { creation, sequence: Math.max(0, sequence - count), messages: rest };
        break;
      }
      case "made anew":
        this.#state = { creation: ++this.#creations, sequence: 0, messages: [] };
        break;
      case "put back":
        if (this.#saved !== undefined) this.#state = this.#saved;
    }
    for (const message of before.messages)
      if (!this.#state.messages.includes(message)) this.#lost.add(message.note);
  }
}
