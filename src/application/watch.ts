import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { AnalysisFeed } from "./fan-out/analysis-feed.ts";
import type { ConnectionWriter } from "./fan-out/connection-writer.ts";
import { Delivery, type DeliveryOwner } from "./fan-out/delivery.ts";
import type { FeedLease } from "./fan-out/feed-registry.ts";
import {
  nothingLeft,
  type PreparedReplay,
  prepareReplay,
  type ReplayRequest,
  resumedOf,
  startOf,
} from "./fan-out/replay.ts";

/** One connection's admitted watch of one analysis, from `begin` to `end`. A connection may have many. */
export class Watch {
  readonly #request: WatchRequest;
  readonly #lease: FeedLease<AnalysisFeed>;
  readonly #registry: ConnectionRegistry;
  readonly #feed: AnalysisFeed;
  readonly #delivery: Delivery;
  #state: "prepared" | "begun" | "ended" = "prepared";
  #prepared: PreparedReplay;

  constructor(request: WatchRequest, lease: FeedLease<AnalysisFeed>, registry: ConnectionRegistry) {
    this.#request = request;
    this.#lease = lease;
    this.#registry = registry;
    const { writer, owner, replay, untilTerminal, conflates } = request;
    this.#feed = lease.feed;
    this.#delivery = new Delivery(writer, lease.feed, owner, {
      untilTerminal,
      conflates,
      replay: replay.after === undefined ? replay.mode : "latest",
      replayIfGone: replay.mode,
      after: replay.after === "unreadable" ? undefined : replay.after,
    });
    this.#prepared = NOTHING_READ;
  }

  get viewers(): ViewerList | undefined {
    return this.#feed.viewers;
  }

  /** As `connection_established` says it; right in the turn in which `begin` is called. */
  get resumed(): boolean | null {
    return resumedOf(this.#prepared, this.#delivery);
  }

  /** Whether it would end at once without sending anything: the end was seen already. */
  get nothingLeft(): boolean {
    return this.#request.untilTerminal && this.resumed === true && nothingLeft(this.#prepared, this.#feed);
  }

  /** Reads what the replay needs; the ring keeps what is published meanwhile. */
  async prepare(): Promise<void> {
    const { replay, untilTerminal } = this.#request;
    this.#prepared = await prepareReplay(this.#feed, this.#delivery, replay, untilTerminal);
  }

  /** Sends the replay and lets live events follow; in one turn, so that nothing can fall between the two. */
  begin(): void {
    if (this.#state !== "prepared") return;
    this.#state = "begun";
    this.#registry.watch(this.#request.writer.connection.id, this.#request.analysisId);
    const start = startOf(this.#prepared, this.#feed, this.#delivery);
    // The delivery lets go of the history as it sends it, and so do we.
    this.#prepared = NOTHING_READ;
    this.#delivery.begin(start);
  }

  /** Leaves nothing behind. Idempotent. */
  end(): void {
    // Only what it put there: by now the connection may watch the same analysis anew.
    if (this.#state === "begun")
      this.#registry.unwatch(this.#request.writer.connection.id, this.#request.analysisId);
    this.#state = "ended";
    this.#delivery.stop();
    this.#lease.release();
  }
}

const NOTHING_READ: PreparedReplay = { type: "state", resumed: null, mode: "none" };

/** What a connection asked for. */
export interface WatchRequest {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  readonly writer: ConnectionWriter;
  readonly owner: DeliveryOwner;
  readonly replay: ReplayRequest;
  /** Whether the watch ends with the analysis. */
  readonly untilTerminal: boolean;
  /** Whether statuses may be left out where the client does not keep up. */
  readonly conflates: boolean;
}
