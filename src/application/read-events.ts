import type { AccessGrant } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel } from "../domain/channel.ts";
import { formatEventId, type GivenPosition } from "../domain/event-position.ts";
import type { AnalysisFeed } from "./fan-out/analysis-feed.ts";
import type { Feeds } from "./fan-out/feeds.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { HistoryPage, PubSubPort } from "./ports/pub-sub-port.ts";

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
    const { analysisId, waitMs } = request;
    const page = await this.#permittedPage(request);
    if (waitMs === 0 || page === undefined || page.events.length > 0) return answer(request, page);
    const lease = await this.#feeds.analysis(analysisChannel(analysisId));
    const patience = this.#waitFor(lease.feed, request);
    try {
      // Read again now that nothing published can be missed, and only then wait.
      const meanwhile = await this.#permittedPage(request);
      if (meanwhile === undefined || meanwhile.events.length > 0) return answer(request, meanwhile);
      await patience.over;
    } finally {
      patience.end();
      lease.release();
    }
    return answer(request, await this.#permittedPage(request));
  }

  /** Undefined for who may not watch: asked after the page was read, so that no event is newer than the right to it. */
  async #permittedPage(request: ReadEventsRequest): Promise<HistoryPage | undefined> {
    const { analysisId, grant, after, limit } = request;
    const channel = analysisChannel(analysisId);
    const page = await this.#pubSub.history(channel, after === "unreadable" ? undefined : after, limit);
    const { viewers } = await this.#pubSub.snapshot(channel);
    return grant.mayWatch(analysisId, viewers, this.#watchDefault) ? page : undefined;
  }

  /** Over at the next event, when the time is up, or when nobody waits any more. */
  #waitFor(
    feed: AnalysisFeed,
    { waitMs, abandoned }: ReadEventsRequest,
  ): { over: Promise<void>; end: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const forget = feed.fanout.onceMoved(resolve);
    const cancel = this.#clock.after(waitMs, resolve);
    if (abandoned.aborted) resolve();
    else abandoned.addEventListener("abort", () => resolve(), { once: true });
    const end = () => {
      forget();
      cancel();
      resolve();
    };
    return { over: promise, end };
  }
}

function answer({ after }: ReadEventsRequest, page: HistoryPage | undefined): ReadEventsAnswer {
  if (page === undefined) return { type: "not_allowed" };
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
