/** One event as a watcher got it. */
export interface Seen {
  readonly id: string;
  readonly offset: number;
  readonly text: string;
}

/** The payload of every event_id, over all watchers and logs of a round: one position never names two payloads. */
export class Payloads {
  readonly faults: string[] = [];
  readonly #texts = new Map<string, string>();

  note(analysisId: string, { id, text }: Seen): void {
    const key = `${analysisId} ${id}`;
    const known = this.#texts.get(key);
    if (known === undefined) this.#texts.set(key, text);
    else if (known !== text) this.faults.push(`two payloads for ${key}: ${known} | ${text}`);
  }
}

/** The events that one watcher has of one analysis since it last had to start afresh. */
export class Sighting {
  readonly analysisId: string;
  readonly watcher: string;
  /** Whether statuses may be left out. */
  readonly conflated: boolean;
  held: Seen[] = [];
  /** `all`: from the oldest kept; `latest`: the last status and the current terminal event, then everything. */
  start: "all" | "latest" | "none" = "all";
  /** Where it began, when it fetched the state before it watched. */
  base: string | undefined;
  /** The events that it had each time the gateway told it that they did not survive. */
  readonly lost: { readonly held: readonly Seen[]; readonly base: string | undefined }[] = [];
  readonly faults: string[] = [];
  deliveries = 0;
  readonly #payloads: Payloads;

  constructor(analysisId: string, watcher: string, payloads: Payloads, conflated = false) {
    this.analysisId = analysisId;
    this.watcher = watcher;
    this.#payloads = payloads;
    this.conflated = conflated;
  }

  /** The position to resume from; undefined if it has nothing. */
  get position(): string | undefined {
    return this.held.at(-1)?.id ?? this.base;
  }

  startsAfresh(start: "all" | "latest" | "none"): void {
    if (this.position !== undefined) this.lost.push({ held: this.held, base: this.base });
    this.held = [];
    this.base = undefined;
    this.start = start;
  }

  event(text: string): void {
    const seen = seenIn(text);
    if (seen === undefined) {
      this.faults.push(`an event without a position: ${text.slice(0, 200)}`);
      return;
    }
    this.deliveries++;
    const before = this.held.at(-1)?.offset ?? offsetOf(this.base ?? "0");
    if (seen.offset <= before) {
      const what = this.held.some(({ id }) => id === seen.id) ? "came twice" : "is out of order";
      this.faults.push(`${seen.id} ${what}, after offset ${before}`);
    }
    this.#payloads.note(this.analysisId, seen);
    this.held.push(seen);
  }
}

export function seenIn(text: string): Seen | undefined {
  const id = /^\{"event_id":"([0-9a-z]+-\d+)"/.exec(text)?.[1];
  return id === undefined ? undefined : { id, offset: offsetOf(id), text };
}

function offsetOf(id: string): number {
  return id === "0" ? 0 : Number(id.slice(id.indexOf("-") + 1));
}
