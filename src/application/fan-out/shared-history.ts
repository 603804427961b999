import { type ByteBudget, Filling } from "../../domain/byte-budget.ts";
import { type EventPosition, isOnHistory } from "../../domain/event-position.ts";
import { utf8Length } from "../../domain/utf8.ts";
import { type HistoryPage, PAGE_BYTES, type PublishedEvent } from "../ports/pub-sub-port.ts";

/** Events in one page of the broker's. */
const PAGE = 200;
/**
 * What is read in one go at most, give or take the last page: the rest waits until somebody is there to take it. As
 * much for each of ten thousand channels must still fit into memory.
 */
const READ: ByteBudget = { items: 1_000, bytes: PAGE_BYTES };

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
  /** Of the channel's last event as of then. Further than `events`, where there was more than is read in one go. */
  readonly newest: EventPosition;
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
   * What is kept after a position (`undefined`: from the oldest), read after this call. Rejects as
   * `PubSubPort.history` does.
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
      for (const one of left) if (!isGood(one)) one.resolve(gone(page));
      left = left.filter(isGood);
      // Where the earliest itself is gone, the page does not begin where the next one needs it to.
      const read = page.resumed ? await this.#readOn(page) : undefined;
      if (read === undefined) continue;
      const { events, newest } = read;
      const reached = events.at(-1)?.position.offset ?? newest.offset;
      // Who stands at its end needs the next stretch, if there is one.
      const isReached = ({ after }: Waiting) =>
        after === undefined || after.offset < reached || reached >= newest.offset;
      for (const { after, resolve } of left.filter(isReached))
        resolve({ resumed: true, events, start: from, newest, from: indexAfter(after, events) });
      left = left.filter((one) => !isReached(one));
    }
  }

  /** The pages after the first; undefined where the history was lost or trimmed in between. */
  async #readOn(first: HistoryPage): Promise<Pick<ReadHistory, "events" | "newest"> | undefined> {
    const events: PublishedEvent[] = [];
    const read = new Filling(READ);
    for (let page = first; ; ) {
      for (const event of page.events) {
        events.push(event);
        read.add(utf8Length(event.text));
      }
      if (read.isFull || !page.more) return { events, newest: page.position };
      page = await this.#read(events.at(-1)?.position, PAGE);
      if (!page.resumed) return undefined;
    }
  }
}

/** Where in a stretch of history what follows `position` begins; undefined is before all of it. */
function indexAfter(position: EventPosition | undefined, events: readonly PublishedEvent[]): number {
  const [first] = events;
  return first === undefined || position === undefined
    ? 0
    : Math.max(0, position.offset + 1 - first.position.offset);
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

function gone({ position }: HistoryPage): ReadHistory {
  return { resumed: false, events: [], from: 0, start: undefined, newest: position };
}

interface Waiting {
  readonly after: EventPosition | undefined;
  readonly resolve: (read: ReadHistory) => void;
  readonly reject: (error: unknown) => void;
}
