import { type EventPosition, isOnHistory } from "../../domain/event-position.ts";
import type { HistoryPage, PublishedEvent } from "../ports/pub-sub-port.ts";

/** Events in one page of the broker's. */
const PAGE = 1_000;

/** Reads one page of a channel's history, as `PubSubPort.history` does. */
export type ReadPage = (after: EventPosition | undefined, limit: number) => Promise<HistoryPage>;

export interface ReadHistory {
  /** False where the position is gone: then nothing was read for it. */
  readonly resumed: boolean;
  /** In order, without a hole. Shared with whoever asked at the same time: their own begin at `from`. */
  readonly events: readonly PublishedEvent[];
  readonly from: number;
  /** Where the channel stood before the first of them; undefined where that is not known. */
  readonly start: EventPosition | undefined;
  /** Of the last event read, or of the channel's last where there was none to read. */
  readonly end: EventPosition;
}

/**
 * Reads the history of one channel for many at once: who asks while a read is out shares the next one, which begins
 * at the earliest position asked for. Every position is judged by what the broker said it keeps, never by this node.
 */
export class SharedHistory {
  readonly #read: ReadPage;
  #waiting: Waiting[] = [];
  #reading = false;

  constructor(read: ReadPage) {
    this.#read = read;
  }

  /**
   * Everything kept after a position (`undefined`: from the oldest), read after this call. What is published
   * meanwhile may or may not be in it: `end` says where it ends. Rejects as `PubSubPort.history` does.
   */
  after(position: EventPosition | undefined): Promise<ReadHistory> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadHistory>();
    this.#waiting.push({ after: position, resolve, reject });
    if (!this.#reading) {
      this.#reading = true;
      // Later, so that all who ask in this turn share it.
      queueMicrotask(() => void this.#readForAll());
    }
    return promise;
  }

  /** Never rejects: each failure goes to those who wait for that read. */
  async #readForAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const served = this.#waiting;
      this.#waiting = [];
      try {
        await this.#serve(served);
      } catch (error) {
        for (const one of served) one.reject(error);
      }
    }
    this.#reading = false;
  }

  async #serve(asked: readonly Waiting[]): Promise<void> {
    let left = asked;
    while (left.length > 0) {
      const from = earliest(left);
      const page = await this.#read(from, PAGE);
      const isGood = ({ after }: Waiting) => after === undefined || isOnHistory(after, page.kept);
      for (const one of left)
        if (!isGood(one))
          one.resolve({ resumed: false, events: [], from: 0, start: undefined, end: page.position });
      left = left.filter(isGood);
      // Where the earliest itself is gone, the page does not begin where the next one needs it to.
      const read = page.resumed ? await this.#readOn(page) : undefined;
      if (read === undefined) continue;
      for (const { after, resolve } of left)
        resolve({
          resumed: true,
          ...read,
          start: from,
          from: after === undefined ? 0 : indexAfter(after, read.events),
        });
      return;
    }
  }

  /** The pages after the first; undefined where the history was lost or trimmed in between. */
  async #readOn(first: HistoryPage): Promise<Pick<ReadHistory, "events" | "end"> | undefined> {
    const events = [...first.events];
    for (let page = first; ; events.push(...page.events)) {
      const end = events.at(-1)?.position ?? page.position;
      if (page.events.length < PAGE) return { events, end };
      page = await this.#read(end, PAGE);
      if (!page.resumed) return undefined;
    }
  }
}

/** Where in a stretch of history what follows `position` begins. */
export function indexAfter(position: EventPosition, events: readonly PublishedEvent[]): number {
  const [first] = events;
  return first === undefined ? 0 : Math.max(0, position.offset + 1 - first.position.offset);
}

/** Undefined, the oldest kept, is earlier than any position. */
function earliest(asked: readonly Waiting[]): EventPosition | undefined {
  let found: EventPosition | undefined;
  for (const { after } of asked) {
    if (after === undefined) return undefined;
    if (found === undefined || after.offset < found.offset) found = after;
  }
  return found;
}

interface Waiting {
  readonly after: EventPosition | undefined;
  readonly resolve: (read: ReadHistory) => void;
  readonly reject: (error: unknown) => void;
}
