import { type ByteBudget, Filling } from "../../domain/byte-budget.ts";
import type { AnalysisChannel } from "../../domain/channel.ts";
import { type EventPosition, isOnHistory } from "../../domain/event-position.ts";
import { utf8Length } from "../../domain/utf8.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import { type HistoryPage, PAGE_BYTES, type PublishedEvent, type PubSubPort } from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { untilAnswered } from "./until-answered.ts";

/** Events in one page of the broker's. */
const PAGE = 200;
/**
 * One read takes at most so much, give or take the last page: the rest waits until a client is there to take it. As
 * much for each of ten thousand channels must still fit into memory.
 */
const READ: ByteBudget = { items: 1_000, bytes: PAGE_BYTES };

/** Consecutive events of a history, as one read found them. */
export interface HistoryStretch {
  /** False if the position is gone: then nothing was read for it. */
  readonly resumed: boolean;
  /** In order, without a hole. Shared with all who asked at the same time: the caller's own begin at `from`. */
  readonly events: readonly PublishedEvent[];
  readonly from: number;
  /** The channel's position before the first of them; undefined if that is not known. */
  readonly start: EventPosition | undefined;
  /** The position of the channel's last event as of then. Beyond `events` if there was more than one read takes. */
  readonly newest: EventPosition;
}

/**
 * Reads one channel's history for many watchers at once. Watchers that ask while a read is out share the next one, which
 * begins at the earliest position asked for. The broker judges every position, never this node.
 */
export class HistoryReader {
  readonly #channel: AnalysisChannel;
  readonly #pubSub: PubSubPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  #waiting: Waiting[] = [];
  #reading = false;
  #closed = false;

  constructor(channel: AnalysisChannel, pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort) {
    this.#channel = channel;
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /**
   * Reads what is kept after a position (`undefined`: from the oldest), and begins after this call. Rejects as
   * `PubSubPort.history` does.
   */
  after(position: EventPosition | undefined): Promise<HistoryStretch> {
    const { promise, resolve, reject } = Promise.withResolvers<HistoryStretch>();
    this.#waiting.push({ after: position, resolve, reject });
    if (!this.#reading) {
      this.#reading = true;
      // Later, so that all who ask in this turn share it.
      queueMicrotask(() => void this.#readForAll());
    }
    return promise;
  }

  /** As `after`, and tries again until the broker answers or the reader is closed. Never rejects. */
  async untilRead(position: EventPosition | undefined): Promise<HistoryStretch> {
    const read = await untilAnswered(
      () => this.after(position),
      () => this.#closed,
      { clock: this.#clock, telemetry: this.#telemetry },
    );
    return read ?? gone({ epoch: "", offset: 0 });
  }

  /** Ends every retry. */
  close(): void {
    this.#closed = true;
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
      const start = earliest(left);
      const page = await this.page(start);
      const isGood = ({ after }: Waiting) => after === undefined || isOnHistory(after, page.kept);
      for (const one of left) if (!isGood(one)) one.resolve(gone(page.position));
      left = left.filter(isGood);
      // If the earliest itself is gone, the page does not begin at the next position asked for.
      const read = page.resumed ? await this.#readOn(page) : undefined;
      if (read === undefined) continue;
      const { events, newest } = read;
      const reached = events.at(-1)?.position.offset ?? newest.offset;
      // A position at the end of the stretch needs the next one, if there is one.
      const isReached = ({ after }: Waiting) =>
        after === undefined || after.offset < reached || reached >= newest.offset;
      for (const { after, resolve } of left.filter(isReached))
        resolve({ resumed: true, events, from: indexAfter(after, events), start, newest });
      left = left.filter((one) => !isReached(one));
    }
  }

  /** Reads the pages after the first; undefined if the history was lost or trimmed in between. */
  async #readOn(first: HistoryPage): Promise<Pick<HistoryStretch, "events" | "newest"> | undefined> {
    const events: PublishedEvent[] = [];
    const read = new Filling(READ);
    for (let page = first; ; ) {
      for (const event of page.events) {
        events.push(event);
        read.add(utf8Length(event.text));
      }
      if (read.isFull || !page.more) return { events, newest: page.position };
      page = await this.page(events.at(-1)?.position);
      if (!page.resumed) return undefined;
    }
  }

  /** Reads one page after a position, for nobody else. Rejects as `PubSubPort.history` does. */
  page(after: EventPosition | undefined): Promise<HistoryPage> {
    return this.#pubSub.history(this.#channel, after, PAGE);
  }
}

interface Waiting {
  readonly after: EventPosition | undefined;
  readonly resolve: (read: HistoryStretch) => void;
  readonly reject: (error: unknown) => void;
}

/** The index of the first event after `position`; undefined is before all of them. */
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

function gone(newest: EventPosition): HistoryStretch {
  return { resumed: false, events: [], from: 0, start: undefined, newest };
}
