import { createHash } from "node:crypto";
import { type Occurrence, OWN } from "../../domain/occurrence.ts";
import { randomEpoch } from "./random-epoch.ts";

/** The most contents counted between two marks, some 100 bytes each. Then a stretch of this node's own begins. */
const MOST_COUNTED = 100_000;
/** The most channels whose last message the counter remembers. */
const MOST_CHANNELS = 20_000;

/** Counts the messages that one node hears, in the order in which the broker sends them, by the node's clock. */
export class OccurrenceCounter {
  readonly #listener = randomEpoch();
  readonly #counts = new Map<string, number>();
  /** The last content of each channel, the channel heard last at the end. */
  readonly #last = new Map<string, string>();
  #stretch = "";
  #since: number | undefined;
  #own = 0;

  constructor(now: number) {
    this.connected(now);
  }

  /** Whether the other nodes count as this one does. */
  get isShared(): boolean {
    return this.#since === undefined;
  }

  /** A connection was made. It hears nothing that was sent before, so the new stretch holds no earlier message. */
  connected(now: number): void {
    this.#last.clear();
    this.#beginOwn(now);
  }

  /** The node heard a mark, `server.time.name`. Every listening node hears it at this place. Each mark comes once. */
  marked(mark: string): void {
    this.#begin(mark, undefined);
  }

  /** The node heard a message that was published at `earliest` or later. */
  heard(channel: string, payload: string | Uint8Array, earliest: number): Occurrence {
    const content = createHash("sha256").update(payload).digest("base64url");
    if (this.#counts.size >= MOST_COUNTED) this.#beginOwn(earliest);
    const name = `${channel} ${content}`;
    const number = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, number);
    const last = this.#last.get(channel);
    this.#last.delete(channel);
    this.#last.set(channel, content);
    if (this.#last.size > MOST_CHANNELS) this.#last.delete(this.#last.keys().next().value ?? "");
    return {
      ...{ content, stretch: this.#stretch, listener: this.#listener, number },
      before: last === undefined ? "unknown" : last === content ? "same" : "other",
      ...(this.#since !== undefined && { since: this.#since }),
    };
  }

  #beginOwn(since: number): void {
    this.#begin(`${OWN}${this.#listener}.${++this.#own}`, since);
  }

  #begin(stretch: string, since: number | undefined): void {
    this.#stretch = stretch;
    this.#since = since;
    this.#counts.clear();
  }
}
