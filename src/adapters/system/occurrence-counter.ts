import { createHash } from "node:crypto";
import { type Occurrence, OWN } from "../../domain/occurrence.ts";
import { randomEpoch } from "./random-epoch.ts";

/** Contents counted between two marks, some 100 bytes each. Past that a stretch of this node's own begins. */
const MOST_COUNTED = 100_000;
/** Channels of which it is known what was heard last on them; of the others it is not. */
const MOST_CHANNELS = 20_000;

/** Counts what one node hears, in the order in which the broker sends it. Times are those of the node's clock. */
export class OccurrenceCounter {
  readonly #listener = randomEpoch();
  readonly #counts = new Map<string, number>();
  /** In the order in which they were heard last. */
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

  /** A connection was made: what was sent before is not heard, and nothing in the new stretch was published earlier. */
  connected(now: number): void {
    this.#last.clear();
    this.#beginOwn(now);
  }

  /** A mark was heard, which every node that listens hears at this place: `server.time.name`, each only once. */
  marked(mark: string): void {
    this.#begin(mark, undefined);
  }

  /** A message was heard, which was published `earliest` or later. */
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
