import { OccurrenceCounter } from "../../src/adapters/system/occurrence-counter.ts";
import type { BareMessage } from "../../src/application/ports/worker-channel-port.ts";

/** Messages as one node hears them that has listened all the while. */
export class BareMessages {
  readonly #counter = new OccurrenceCounter(0);

  /** With `shared` false it counts on by itself, as before its first mark. */
  constructor(shared = true) {
    if (shared) this.#counter.marked("server.1.first");
  }

  marked(mark: string): void {
    this.#counter.marked(mark);
  }

  next(channel: string, payload: string, rest: Partial<BareMessage> = {}): BareMessage {
    return { channel, payload, occurrence: this.#counter.heard(channel, payload, 0), ...rest };
  }
}
