import type { DeliveryOwner } from "../../../application/fan-out/delivery.ts";
import { Outlet } from "../../../application/fan-out/outlet.ts";
import type { NoticeWatch } from "../../../application/notice-watch.ts";
import type { OpenConnection } from "../../../application/open-connections.ts";
import type { Watch } from "../../../application/watch.ts";
import type { AccessGrant, ViewerList } from "../../../domain/access-grant.ts";
import type { AnalysisId } from "../../../domain/channel.ts";
import { CLOSE_CODES, type CloseCode } from "../../../domain/close-code.ts";
import { connectionEstablished } from "../../server-frames.ts";
import type { SessionServices } from "../../session-services.ts";
import type { WatchQuery } from "../../watch-query.ts";
import { SseConnection } from "./sse-connection.ts";

export interface SseRequest extends WatchQuery {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  readonly userId: string;
}

export type SseAnswer =
  | { readonly type: "stream"; readonly stream: ReadableStream<Uint8Array> }
  /** The end that `until=terminal` asked for has been seen already: the client need not come again. */
  | { readonly type: "nothing_left" }
  | { readonly type: "refused"; readonly code: SseRefusal };

export type SseRefusal = "not_allowed" | "unauthenticated" | "too_many_connections" | "over_capacity";

/** Clients of a stream say nothing, so a comment that was written is their sign of life. In milliseconds. */
const COMMENT_EVERY_MS = 15_000;

/** One event stream on `/v1/analyses/{id}/events`, through the same use case as a WebSocket. */
export class SseSession implements OpenConnection, DeliveryOwner {
  readonly outlet: Outlet;
  readonly #connection: SseConnection;
  readonly #request: SseRequest;
  readonly #services: SessionServices;
  readonly #notices: NoticeWatch;
  #watch: Watch | undefined;
  #state: SseState = { type: "admitting" };

  constructor(request: SseRequest, services: SessionServices) {
    this.#request = request;
    this.#services = services;
    this.#connection = new SseConnection({
      drained: () => this.outlet.drained(),
      closed: () => this.#closed(),
    });
    this.outlet = new Outlet(this.#connection, services.clock);
    this.#notices = services.subscribe.notices({ userId: request.userId, outlet: this.outlet, owner: this });
  }

  /** Rejects where the broker is away, as `SubscribeToAnalysis` does; then nothing is left behind. */
  async open(): Promise<SseAnswer> {
    const { connections } = this.#services;
    const { userId, grant } = this.#request;
    const admission = connections.admit(this, { userId, tokenExpiresAt: grant.expiresAt });
    if (!admission.admitted) {
      return { type: "refused", code: admission.limit === "user" ? "too_many_connections" : "over_capacity" };
    }
    try {
      const joining = this.#join();
      await Promise.all([joining, this.#notices.open()]);
      const watch = await joining;
      if (watch !== undefined && this.#state.type === "admitting") return this.#begin(watch);
      const code = this.#state.type === "closed" ? refusalOf(this.#state.why) : "not_allowed";
      this.#closed();
      return { type: "refused", code };
    } catch (error) {
      this.#closed();
      throw error;
    }
  }

  close(code: CloseCode, reason: string): void {
    this.#connection.close(code.code, reason);
    this.#closed(code);
  }

  /** A comment goes out in any case, and that is all a stream needs. */
  sendHeartbeat(): void {}

  tooSlow(): void {
    this.close(CLOSE_CODES.tooSlow, "more waits than may be kept");
  }

  startsAfresh(): void {
    this.#establish(false);
  }

  finished(): void {
    this.close(CLOSE_CODES.finished, "finished");
  }

  viewersChanged(viewers: ViewerList): void {
    const { grant, analysisId } = this.#request;
    if (!this.#services.subscribe.mayStillWatch(grant, analysisId, viewers)) {
      this.close(CLOSE_CODES.forbidden, "not allowed to watch this analysis");
    }
  }

  /** Undefined where it may not be watched, or nobody is there to watch it any more. */
  async #join(): Promise<Watch | undefined> {
    const answer = await this.#services.subscribe.execute({
      ...this.#request,
      outlet: this.outlet,
      owner: this,
    });
    if (answer.type !== "watching") return undefined;
    // From here on whatever ends the stream ends the watch, the notices that could not be had included.
    if (this.#state.type === "admitting") {
      this.#watch = answer.watch;
      return answer.watch;
    }
    answer.watch.end();
    return undefined;
  }

  #begin(watch: Watch): SseAnswer {
    if (watch.nothingLeft) {
      this.#closed();
      return { type: "nothing_left" };
    }
    const { clock, registry, settings } = this.#services;
    const stopComments = clock.every(Math.min(COMMENT_EVERY_MS, settings.heartbeatTimeoutMs / 2), () => {
      this.#connection.ping();
      registry.heard(this.#connection.id, clock.now());
    });
    this.#state = { type: "watching", stopComments };
    this.#establish(watch.resumed);
    this.#notices.begin();
    watch.begin();
    return { type: "stream", stream: this.#connection.stream };
  }

  #establish(resumed: boolean | null): void {
    const { analysisId } = this.#request;
    const connectionId = this.#connection.id;
    this.outlet.sendControl(connectionEstablished({ analysisId, connectionId, resumed }, this.#services));
  }

  /** Leaves nothing behind, whichever side ended it. Idempotent. */
  #closed(why?: CloseCode): void {
    const state = this.#state;
    if (state.type === "closed") return;
    this.#state = { type: "closed", why };
    if (state.type === "watching") state.stopComments();
    this.#watch?.end();
    this.#notices.end();
    this.outlet.closed();
    this.#services.connections.remove(this.#connection.id);
  }
}

type SseState =
  | { readonly type: "admitting" }
  | { readonly type: "watching"; readonly stopComments: () => void }
  | { readonly type: "closed"; readonly why: CloseCode | undefined };

/** What a client is told that was closed before its stream began. */
function refusalOf(why: CloseCode | undefined): SseRefusal {
  if (why === CLOSE_CODES.forbidden) return "not_allowed";
  return why === CLOSE_CODES.unauthenticated ? "unauthenticated" : "over_capacity";
}
