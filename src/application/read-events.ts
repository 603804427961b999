import type { AccessGrant, ViewerList, WatchVerdict } from "../domain/access-grant.ts";
import { Filling, fill } from "../domain/byte-budget.ts";
import { type AnalysisChannel, type AnalysisId, analysisChannel } from "../domain/channel.ts";
import { type EventPosition, formatEventId, type GivenPosition } from "../domain/event-position.ts";
import { utf8Length } from "../domain/utf8.ts";
import type { AccessPolicy } from "./access-policy.ts";
import { type FairQueue, inQueue, type Place } from "./fair-queue.ts";
import { NOTHING_ANNOUNCED, newsSince } from "./fan-out/announcements.ts";
import type { ChannelFeed } from "./fan-out/channel-feed.ts";
import type { FeedRegistry } from "./fan-out/feed-registry.ts";
import type { ControlFrame } from "./ports/client-connection-port.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import { PAGE_BYTES, type PublishedEvent, type PubSubPort } from "./ports/pub-sub-port.ts";

/** An answer holds at most 4 MiB; its other members take a few hundred bytes. */
const ANSWER_BYTES = 4 * 1024 * 1024 - 1024;

export interface ReadEventsRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  /** Undefined: from the oldest kept. */
  readonly after: GivenPosition | undefined;
  readonly limit: number;
  /** Whether a position that is gone is refused, in place of a page from the oldest kept. */
  readonly strict?: boolean;
  /** How long to wait for the first new event; 0: not at all. */
  readonly waitMs: number;
  /** Aborted when the client has gone. */
  readonly abandoned: AbortSignal;
}

export type ReadEventsAnswer =
  | {
      readonly type: "events";
      readonly texts: readonly string[];
      readonly lastEventId: string;
      readonly resumed: boolean | null;
      /** The frames that a watcher is told after the events, for a reader that waits. */
      readonly frames: readonly string[];
    }
  | { readonly type: "not_allowed" | "not_declared" | "position_gone" };

/**
 * Reads a page of the history, in order. If there is none yet, it can wait for the next event, for networks that let
 * nothing else through. An answer holds at most 4 MiB. It holds at least one event if there is any; `limit` is a maximum.
 */
export class ReadEvents {
  readonly #pubSub: PubSubPort;
  readonly #feeds: FeedRegistry;
  readonly #clock: ClockPort;
  readonly #access: AccessPolicy;
  readonly #reads: FairQueue;

  constructor(
    pubSub: PubSubPort,
    reads: FairQueue,
    feeds: FeedRegistry,
    clock: ClockPort,
    access: AccessPolicy,
  ) {
    this.#reads = reads;
    this.#pubSub = pubSub;
    this.#feeds = feeds;
    this.#clock = clock;
    this.#access = access;
  }

  /**
   * Rejects as the methods of `PubSubPort` do, with `AccessUndecided`, `TooManyReads` and `ReadAbandoned`. Leaves nothing
   * subscribed.
   */
  async execute(request: ReadEventsRequest): Promise<ReadEventsAnswer> {
    if (request.waitMs === 0) return answer(request, await this.#permittedPage(request));
    const lease = await this.#feeds.analysis(analysisChannel(request.analysisId));
    const patience = this.#waitFor(lease.feed, request);
    try {
      const verdict = await this.#mayRead(request, lease.feed.viewers);
      if (verdict !== "allowed") return { type: verdict };
      const page = await this.#permittedFrom(lease.feed, request);
      const isOver = typeof page === "string" || page.events.length > 0 || isRefused(request, page);
      if (!isOver) await patience.over;
      const last = isOver ? page : await this.#permittedFrom(lease.feed, request);
      return answer(request, last, newsSince(NOTHING_ANNOUNCED, lease.feed.announcer.current));
    } finally {
      patience.end();
      lease.release();
    }
  }

  /**
   * Judges the grant before anything is read, and again afterwards, so that no event is newer than the right to it.
   * Answers the verdict if the user may not watch.
   */
  async #permittedPage(request: ReadEventsRequest): Promise<Page | Refused> {
    const channel = analysisChannel(request.analysisId);
    const before = await this.#mayRead(request, await this.#pubSub.viewers(channel));
    if (before !== "allowed") return before;
    const page = await inQueue(
      this.#reads,
      { userId: request.grant.userId ?? "", abandoned: request.abandoned },
      (place) => this.#page(place, channel, request),
    );
    const after = this.#mayGoOn(request, await this.#pubSub.viewers(channel));
    return after === "allowed" ? page : after;
  }

  /** Reads as many of the broker's pages as an answer holds, each at a turn of its own. */
  async #page(place: Place, channel: AnalysisChannel, { after, limit }: ReadEventsRequest): Promise<Page> {
    const from = after === "unreadable" ? undefined : after;
    const first = await place.read(() => this.#pubSub.history(channel, from, limit));
    const events: PublishedEvent[] = [];
    const filling = new Filling({ items: limit, bytes: ANSWER_BYTES });
    for (let page = first; ; ) {
      for (const event of page.events) {
        if (filling.take(bytesOf(event))) events.push(event);
        else return { resumed: first.resumed, events };
      }
      // A page of which not all may fit is not worth reading.
      if (!page.more || filling.left.items === 0 || filling.left.bytes < PAGE_BYTES) break;
      const last = events.at(-1)?.position;
      page = await place.read(() => this.#pubSub.history(channel, last, filling.left.items));
      // Trimmed or lost meanwhile: the events read so far belong together, and those there are now may not.
      if (!page.resumed) break;
    }
    return { resumed: first.resumed, events };
  }

  /** As `#permittedPage`, from a feed: clients that wait for one analysis share their reads, as watchers do. */
  async #permittedFrom(feed: ChannelFeed, request: ReadEventsRequest): Promise<Page | Refused> {
    const { after, limit } = request;
    const before = this.#mayGoOn(request, feed.viewers);
    if (before !== "allowed") return before;
    const page = await pageOf(feed, after === "unreadable" ? undefined : after, limit);
    const verdict = this.#mayGoOn(request, feed.viewers);
    return verdict === "allowed" ? page : verdict;
  }

  #mayRead({ grant, analysisId }: ReadEventsRequest, viewers: ViewerList | undefined): Promise<WatchVerdict> {
    return this.#access.mayWatch({ analysisId, grant, viewers });
  }

  #mayGoOn({ grant, analysisId }: ReadEventsRequest, viewers: ViewerList | undefined): WatchVerdict {
    return this.#access.mayGoOn({ analysisId, grant, viewers });
  }

  /** Over at the next event, when the time is up, when the client has gone, or when it may not watch any more. */
  #waitFor(feed: ChannelFeed, request: ReadEventsRequest): { over: Promise<void>; end: () => void } {
    const { waitMs, abandoned } = request;
    const { promise, resolve } = Promise.withResolvers<void>();
    const forget = feed.broadcaster.onceMoved(resolve);
    const forgetViewers = feed.broadcaster.onViewers((viewers) => {
      if (this.#mayGoOn(request, viewers) !== "allowed") resolve();
    });
    const cancel = this.#clock.after(waitMs, resolve);
    if (abandoned.aborted) resolve();
    else abandoned.addEventListener("abort", () => resolve(), { once: true });
    const end = () => {
      forget();
      forgetViewers();
      cancel();
      resolve();
    };
    return { over: promise, end };
  }
}

type Refused = Exclude<WatchVerdict, "allowed">;

/** The bytes that an event takes up in an answer. */
function bytesOf({ text }: PublishedEvent): number {
  return utf8Length(text) + ",".length;
}

/** Whether the position is gone and the reader wants no other. */
function isRefused({ strict = false, after }: ReadEventsRequest, { resumed }: Page): boolean {
  return strict && after !== undefined && (after === "unreadable" || !resumed);
}

interface Page {
  readonly resumed: boolean;
  readonly events: readonly PublishedEvent[];
}

async function pageOf(feed: ChannelFeed, after: EventPosition | undefined, limit: number): Promise<Page> {
  const answered = (events: readonly PublishedEvent[]) =>
    fill(events, { items: limit, bytes: ANSWER_BYTES }, bytesOf);
  const sequence = after === undefined ? undefined : feed.sequenceAfter(after);
  if (sequence !== undefined)
    return { resumed: true, events: answered(feed.broadcaster.from(sequence, limit)) };
  const { resumed, events, from } = await feed.history(after);
  if (!resumed) return { ...(await pageOf(feed, undefined, limit)), resumed };
  return { resumed, events: answered(events.slice(from, from + limit)) };
}

function answer(
  request: ReadEventsRequest,
  page: Page | Refused,
  frames: readonly ControlFrame[] = [],
): ReadEventsAnswer {
  const { after } = request;
  if (typeof page === "string") return { type: page };
  if (isRefused(request, page)) return { type: "position_gone" };
  const resumed = after === undefined ? null : after !== "unreadable" && page.resumed;
  const last =
    page.events.at(-1)?.position ?? (resumed === true && after !== "unreadable" ? after : undefined);
  return {
    type: "events",
    texts: page.events.map((event) => event.text),
    lastEventId: last === undefined ? "0" : formatEventId(last),
    resumed,
    frames: frames.map(({ text }) => text),
  };
}
