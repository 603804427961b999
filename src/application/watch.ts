import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { AnalysisFeed } from "./fan-out/analysis-feed.ts";
import { Delivery, type DeliveryOwner } from "./fan-out/delivery.ts";
import { withWhatComes } from "./fan-out/delivery-start.ts";
import type { FeedLease } from "./fan-out/feeds.ts";
import type { NoticeFeed } from "./fan-out/notice-feed.ts";
import type { Outlet } from "./fan-out/outlet.ts";
import {
  nothingLeft,
  type PreparedReplay,
  prepareReplay,
  type ReplayRequest,
  resumedOf,
  startOf,
} from "./fan-out/replay.ts";

/** One connection's admitted watch of one analysis, from `begin` to `end`. */
export class Watch {
  readonly #request: WatchRequest;
  readonly #leases: WatchLeases;
  readonly #registry: ConnectionRegistry;
  readonly #feed: AnalysisFeed;
  readonly #analysis: Delivery;
  readonly #notices: readonly Delivery[];
  #prepared: PreparedReplay;

  constructor(request: WatchRequest, leases: WatchLeases, registry: ConnectionRegistry) {
    this.#request = request;
    this.#leases = leases;
    this.#registry = registry;
    const { outlet, owner, replay, untilTerminal, conflates } = request;
    const [analysis, ...notices] = leases;
    this.#feed = analysis.feed;
    this.#analysis = new Delivery(outlet, analysis.feed, owner, {
      untilTerminal,
      conflates,
      replay: replay.after === undefined ? replay.mode : "latest",
      after: replay.after === "unreadable" ? undefined : replay.after,
    });
    const plain = { untilTerminal: false, conflates: false, replay: "none", after: undefined } as const;
    this.#notices = notices.map((lease) => new Delivery(outlet, lease.feed, owner, plain));
    this.#prepared = NOTHING_READ;
  }

  get viewers(): ViewerList | undefined {
    return this.#feed.viewers;
  }

  /** As `connection_established` says it; right in the turn in which `begin` is called. */
  get resumed(): boolean | null {
    return resumedOf(this.#prepared, this.#analysis);
  }

  /** Whether it would end at once without sending anything: the end was seen already. */
  get nothingLeft(): boolean {
    return this.#request.untilTerminal && this.resumed === true && nothingLeft(this.#prepared, this.#feed);
  }

  /** Reads what the replay needs; the ring keeps what is published meanwhile. */
  async prepare(): Promise<void> {
    const { replay, untilTerminal } = this.#request;
    this.#prepared = await prepareReplay(this.#feed, this.#analysis, replay, untilTerminal);
  }

  /** Sends the replay and lets live events follow; in one turn, so that nothing can fall between the two. */
  begin(): void {
    this.#registry.watch(this.#request.outlet.connection.id, this.#request.analysisId);
    for (const delivery of this.#notices) delivery.begin(withWhatComes(delivery.cursor));
    this.#analysis.begin(startOf(this.#prepared, this.#feed, this.#analysis));
    // The delivery lets go of the history as it sends it, and so do we.
    this.#prepared = NOTHING_READ;
  }

  /** Leaves nothing behind. Idempotent. */
  end(): void {
    this.#registry.unwatch(this.#request.outlet.connection.id, this.#request.analysisId);
    for (const delivery of [this.#analysis, ...this.#notices]) delivery.stop();
    for (const lease of this.#leases) lease.release();
  }
}

const NOTHING_READ: PreparedReplay = { type: "state", resumed: null, mode: "none" };

/** What a connection that may come in asked for. */
export interface WatchRequest {
  readonly analysisId: AnalysisId;
  readonly userId: string;
  readonly grant: AccessGrant;
  readonly outlet: Outlet;
  readonly owner: DeliveryOwner;
  readonly replay: ReplayRequest;
  /** Whether the watch ends with the analysis. */
  readonly untilTerminal: boolean;
  /** Whether statuses may be left out where the client does not keep up. */
  readonly conflates: boolean;
}

/** Of the analysis, of the user's notices and of everybody's. */
export type WatchLeases = readonly [FeedLease<AnalysisFeed>, FeedLease<NoticeFeed>, FeedLease<NoticeFeed>];
