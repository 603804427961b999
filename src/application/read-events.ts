import type { AccessGrant, WatchVerdict } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel } from "../domain/channel.ts";
import { type EventPosition, formatEventId, type GivenPosition } from "../domain/event-position.ts";
import type { AnalysisFeed } from "./fan-out/analysis-feed.ts";
import type { Feeds } from "./fan-out/feeds.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { PublishedEvent, PubSubPort } from "./ports/pub-sub-port.ts";

export interface ReadEventsRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  /** Undefined: from the oldest kept. */
  readonly after: GivenPosition | undefined;
  readonly limit: number;
  /** How long to wait for the first new event; 0: not at all. */
  readonly waitMs: number;
  /** Whoever asked has gone: there is nothing to wait for any more. */
  readonly abandoned: AbortSignal;
}

export type ReadEventsAnswer =
  | {
      readonly type: "events";
      readonly texts: readonly string[];
      readonly lastEventId: string;
      readonly resumed: boolean | null;
    }
  | { readonly type: "not_allowed" | "not_declared" };

/** A page of the history, in order, and with patience the next event: for networks that let nothing else through. */
export class ReadEvents {
  readonly #pubSub: PubSubPort;
  readonly #feeds: Feeds;
  readonly #clock: ClockPort;
  readonly #watchDefault: "allow" | "deny";

  constructor(pubSub: PubSubPort, feeds: Feeds, clock: ClockPort, watchDefault: "allow" | "deny") {
    this.#pubSub = pubSub;
    this.#feeds = feeds;
    this.#clock = clock;
    this.#watchDefault = watchDefault;
  }

  /** Rejects as the methods of `PubSubPort` do; leaves nothing subscribed. */
  async execute(request: ReadEventsRequest): Promise<ReadEventsAnswer> {
    if (request.waitMs === 0) return answer(request, await this.#permittedPage(request));
    const lease = await this.#feeds.analysis(analysisChannel(request.analysisId));
    const patience = this.#waitFor(lease.feed, request);
    try {
      const page = await this.#permittedFrom(lease.feed, request);
      if (typeof page === "string" || page.events.length > 0) return answer(request, page);
      await patience.over;
      return answer(request, await this.#permittedFrom(lease.feed, request));
    } finally {
      patience.end();
      lease.release();
    }
  }

  /** The verdict for who may not watch: asked after the page was read, so that no event is newer than the right to it. */
  async #permittedPage({ analysisId, grant, after, limit }: ReadEventsRequest): Promise<Page | Refused> {
    const channel = analysisChannel(analysisId);
    const page = await this.#pubSub.history(channel, after === "unreadable" ? undefined : after, limit);
    const { viewers } = await this.#pubSub.snapshot(channel);
    const verdict = grant.judge(analysisId, viewers, this.#watchDefault);
    return verdict === "allowed" ? page : verdict;
  }

  /** As `#permittedPage`, of a feed: those who wait for one analysis share what is read for them, as watchers do. */
  async #permittedFrom(feed: AnalysisFeed, request: ReadEventsRequest): Promise<Page | Refused> {
    const { analysisId, grant, after, limit } = request;
    const page = await pageOf(feed, after === "unreadable" ? undefined : after, limit);
    const verdict = grant.judge(analysisId, feed.viewers, this.#watchDefault);
    return verdict === "allowed" ? page : verdict;
  }

  /** Over at the next event, when the time is up, when nobody waits any more, or when it may not be watched any more. */
  #waitFor(
    feed: AnalysisFeed,
    { waitMs, abandoned, grant, analysisId }: ReadEventsRequest,
  ): { over: Promise<void>; end: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const forget = feed.fanout.onceMoved(resolve);
    const forgetViewers = feed.fanout.onViewers((viewers) => {
      if (!grant.mayWatch(analysisId, viewers, this.#watchDefault)) resolve();
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

interface Page {
  readonly resumed: boolean;
  readonly events: readonly PublishedEvent[];
}

async function pageOf(feed: AnalysisFeed, after: EventPosition | undefined, limit: number): Promise<Page> {
  const sequence = after === undefined ? undefined : feed.sequenceAfter(after);
  if (sequence !== undefined) return { resumed: true, events: feed.fanout.from(sequence, limit) };
  const { resumed, events, from } = await feed.history(after);
  if (!resumed) return { ...(await pageOf(feed, undefined, limit)), resumed };
  return { resumed, events: events.slice(from, from + limit) };
}

function answer({ after }: ReadEventsRequest, page: Page | Refused): ReadEventsAnswer {
  if (typeof page === "string") return { type: page };
  const resumed = after === undefined ? null : after !== "unreadable" && page.resumed;
  const last =
    page.events.at(-1)?.position ?? (resumed === true && after !== "unreadable" ? after : undefined);
  return {
    type: "events",
    texts: page.events.map((event) => event.text),
    lastEventId: last === undefined ? "0" : formatEventId(last),
    resumed,
  };
}
