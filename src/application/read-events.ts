import type { AccessGrant } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel } from "../domain/channel.ts";
import { type EventPosition, formatEventId } from "../domain/event-position.ts";
import type { AnalysisFeed } from "./fan-out/analysis-feed.ts";
import type { Feeds } from "./fan-out/feeds.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { HistoryPage, PubSubPort } from "./ports/pub-sub-port.ts";

export interface ReadEventsRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  /** `unreadable` is a position that cannot be one of ours, hence gone. */
  readonly after: EventPosition | "unreadable" | undefined;
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
  | { readonly type: "not_allowed" };

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
    const { analysisId, grant, waitMs } = request;
    const { viewers } = await this.#pubSub.snapshot(analysisChannel(analysisId));
    if (!grant.mayWatch(analysisId, viewers, this.#watchDefault)) return { type: "not_allowed" };
    const page = await this.#page(request);
    if (waitMs === 0 || page.events.length > 0) return answer(request, page);
    const { feed, release } = await this.#feeds.analysis(analysisChannel(analysisId));
    const patience = this.#waitFor(feed, request);
    try {
      // Read again now that nothing published can be missed, and only then wait.
      const meanwhile = await this.#page(request);
      if (meanwhile.events.length > 0) return answer(request, meanwhile);
      await patience.over;
    } finally {
      patience.end();
      release();
    }
    return answer(request, await this.#page(request));
  }

  #page({ analysisId, after, limit }: ReadEventsRequest): Promise<HistoryPage> {
    const from = after === "unreadable" ? undefined : after;
    return this.#pubSub.history(analysisChannel(analysisId), from, limit);
  }

  /** Over at the next event, when the time is up, or when nobody waits any more. */
  #waitFor(
    feed: AnalysisFeed,
    { waitMs, abandoned }: ReadEventsRequest,
  ): { over: Promise<void>; end: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const forget = feed.fanout.onceMoved(resolve);
    const cancel = this.#clock.after(waitMs, resolve);
    abandoned.addEventListener("abort", () => resolve(), { once: true });
    const end = () => {
      forget();
      cancel();
      resolve();
    };
    return { over: promise, end };
  }
}

function answer({ after }: ReadEventsRequest, page: HistoryPage): ReadEventsAnswer {
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
