import { OccurrenceCounter } from "../../src/adapters/system/occurrence-counter.ts";
import type { SeenByContent } from "../../src/application/ports/pub-sub-port.ts";
import type { BareMessage } from "../../src/application/ports/worker-channel-port.ts";
import type { Occurrence } from "../../src/domain/occurrence.ts";

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

/** How a content is known again: by default the first of its kind, heard by a node that listened before. */
export function content(
  name: string,
  occurrence: Partial<Occurrence> = {},
  rest: Partial<SeenByContent> = {},
): SeenByContent {
  return {
    lane: "content",
    occurrence: {
      ...{ content: name, stretch: "server.1.mark", listener: "node", number: 1, before: "other" },
      ...occurrence,
    },
    ...{ reachMs: 5_000, ageMs: 0, retryMs: 60_000, rememberMs: 180_000 },
    ...rest,
  };
}
