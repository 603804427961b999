import { alone } from "../../../application/alone.ts";
import { ConnectionWriter } from "../../../application/fan-out/connection-writer.ts";
import type { DeliveryOwner } from "../../../application/fan-out/delivery.ts";
import type { NoticeWatch } from "../../../application/notice-watch.ts";
import type { OpenConnection } from "../../../application/open-connections.ts";
import type { Watch } from "../../../application/watch.ts";
import type { AccessGrant, ViewerList } from "../../../domain/access-grant.ts";
import type { AnalysisId } from "../../../domain/channel.ts";
import { CLOSE_CODES, type CloseCode } from "../../../domain/close-code.ts";
import { Admission, REFUSALS, type Refusal, refusalOf } from "../../../session/admission.ts";
import { connectionEstablished } from "../../../session/server-frames.ts";
import { logFault } from "../../../session/session-fault.ts";
import type { SessionServices } from "../../../session/session-services.ts";
import type { WatchQuery } from "../../../session/watch-query.ts";
import { SseConnection } from "./sse-connection.ts";

export interface SseRequest extends WatchQuery {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  readonly userId: string;
  /** As `SseConnection` needs it. */
  readonly cut: () => void;
}

export type SseAnswer =
  | { readonly type: "stream"; readonly stream: ReadableStream<Uint8Array> }
  /** The end that `until=terminal` asked for has been seen already: the client need not come again. */
  | { readonly type: "nothing_left" }
  | { readonly type: "refused"; readonly code: Refusal };

/** Clients of a stream say nothing, so that they take what is written is their sign of life. In milliseconds. */
const COMMENT_EVERY_MS = 15_000;

/** One event stream on `/v1/analyses/{id}/events`, through the same use case as a WebSocket. */
export class SseSession implements OpenConnection, DeliveryOwner {
  readonly writer: ConnectionWriter;
  readonly #connection: SseConnection;
  readonly #request: SseRequest;
  readonly #services: SessionServices;
  readonly #admission: Admission;
  readonly #notices: NoticeWatch;

  constructor(request: SseRequest, services: SessionServices) {
    this.#request = request;
    this.#services = services;
    this.#admission = new Admission(this, services);
    this.#connection = new SseConnection(
      {
        drained: () => void alone(this, () => this.#drained()),
        closed: () => void alone(this, () => this.#closed()),
      },
      request.cut,
    );
    this.writer = new ConnectionWriter(this.#connection, services.clock);
    this.#notices = services.subscribe.notices({ userId: request.userId, writer: this.writer, owner: this });
  }

  get id(): string {
    return this.#connection.id;
  }

  /** Rejects where the broker is away, as `SubscribeToAnalysis` does; then nothing is left behind. */
  async open(): Promise<SseAnswer> {
    const refusal = this.#admission.enter(this.#request);
    if (refusal !== undefined) return { type: "refused", code: refusal };
    this.#admission.hold(this.#notices);
    this.#services.registry.countSubscription(this.id);
    try {
      const joining = this.#join();
      await Promise.all([joining, this.#notices.open()]);
      const joined = await joining;
      if (typeof joined !== "string" && this.#admission.begin()) return this.#begin(joined);
      const code = typeof joined === "string" ? joined : refusalOf(this.#admission.why);
      this.#closed();
      return { type: "refused", code };
    } catch (error) {
      this.#closed();
      throw error;
    }
  }

  close(code: CloseCode, reason: string): void {
    try {
      this.#connection.close(code.code, reason);
    } finally {
      this.#closed(code);
    }
  }

  /** A client of a stream says nothing: it is there for as long as it takes what is written. */
  progresses(): boolean {
    return this.#connection.tookSome();
  }

  failed(error: unknown): void {
    logFault(this.#services.telemetry, error);
    try {
      this.close(REFUSALS.over_capacity.code, REFUSALS.over_capacity.reason);
    } catch (again) {
      logFault(this.#services.telemetry, again);
    }
  }

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
    const verdict = this.#services.subscribe.judge(grant, analysisId, viewers);
    if (verdict !== "allowed") this.close(REFUSALS[verdict].code, REFUSALS[verdict].reason);
  }

  /** The reason where it may not be watched. Whatever ends the stream from here on ends the watch. */
  async #join(): Promise<Watch | Refusal> {
    const answer = await this.#services.subscribe.execute({
      ...this.#request,
      writer: this.writer,
      owner: this,
    });
    if (answer.type !== "watching") return answer.type;
    this.#admission.hold(answer.watch);
    return answer.watch;
  }

  #begin(watch: Watch): SseAnswer {
    if (watch.nothingLeft) {
      this.#closed();
      return { type: "nothing_left" };
    }
    const { clock, settings } = this.#services;
    const beat = () => void alone(this, () => this.#beat());
    const stop = clock.every(Math.min(COMMENT_EVERY_MS, settings.heartbeatTimeoutMs / 2), beat);
    this.#admission.hold({ end: stop });
    this.#establish(watch.resumed);
    this.#notices.begin();
    watch.begin();
    return { type: "stream", stream: this.#connection.stream };
  }

  /** That a comment was written proves nothing: that it was taken does. */
  #beat(): void {
    if (this.#connection.tookSome()) this.#services.registry.heard(this.id, this.#services.clock.now());
    this.#connection.ping();
  }

  #drained(): void {
    this.#services.registry.heard(this.id, this.#services.clock.now());
    this.writer.drained();
  }

  #establish(resumed: boolean | null): void {
    const { analysisId } = this.#request;
    this.writer.sendControl(
      connectionEstablished({ analysisId, connectionId: this.id, resumed }, this.#services),
    );
  }

  /** Leaves nothing behind, whichever side ended it. Idempotent. */
  #closed(why?: CloseCode): void {
    this.writer.closed();
    this.#admission.gone(why);
  }
}
