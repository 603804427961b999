import { alone } from "../application/alone.ts";
import type { ClientConnectionPort, Frame } from "../application/ports/client-connection-port.ts";
import type { CloseCode } from "../domain/close-code.ts";
import type { Refusal } from "./admission.ts";
import { Session, type Watched, type WatcherRequest } from "./session.ts";
import type { SessionServices } from "./session-services.ts";

/** A client of a stream says nothing: it is alive as long as it takes comments. In milliseconds. */
const COMMENT_EVERY_MS = 15_000;

/** One event stream, whatever it watches. */
export abstract class StreamSession<What extends Watched> extends Session<What> {
  constructor(connection: ClientConnectionPort, services: SessionServices) {
    super(connection, services, "sse");
  }

  /**
   * Enters and begins. Nothing was sent if the answer is not `streaming`. Rejects with the errors of
   * `SubscribeToAnalysis`. Leaves nothing behind if it rejects or the answer is not `streaming`.
   */
  abstract opened(): Promise<StreamAnswer>;

  /** The client took everything that waited. */
  drained(): void {
    alone(this, () => {
      this.#heard();
      this.writer.drained();
    });
  }

  /** A frame was written to the stream. */
  sent(_frame: Frame): void {}

  /** The client went away. */
  left(): void {
    alone(this, () => this.closed());
  }

  override close(code: CloseCode, reason: string): void {
    try {
      super.close(code, reason);
    } finally {
      // Nothing reports the end of a stream that the gateway closed.
      this.closed();
    }
  }

  progresses(): boolean {
    return this.connection.tookSome();
  }

  /** As `opened`, for what the stream watches. `begun` is called when it has begun. */
  protected async open(
    watched: What & { readonly nothingLeft?: boolean },
    request: WatcherRequest,
    begun = () => {},
  ): Promise<StreamAnswer> {
    const full = this.admission.enter(request);
    if (full !== undefined) return { type: "refused", code: full };
    try {
      const refusal = await this.prepare(watched, request);
      if (refusal === undefined && !watched.nothingLeft) {
        this.begin(watched, { keepsAlive: this.#sendComments(), faults: request.faults });
        begun();
        return { type: "streaming" };
      }
      this.closed();
      return refusal === undefined ? { type: "nothing_left" } : { type: "refused", code: refusal };
    } catch (error) {
      this.closed();
      throw error;
    }
  }

  /** Comments keep the stream alive until the answer is ended. */
  #sendComments(): { end(): void } {
    const { clock, settings } = this.services;
    const everyMs = Math.min(COMMENT_EVERY_MS, settings.heartbeatTimeoutMs / 2);
    return { end: clock.every(everyMs, () => void alone(this, () => this.#beat())) };
  }

  /** A comment that was written proves nothing: the client must take it. */
  #beat(): void {
    if (this.connection.tookSome()) this.#heard();
    this.connection.ping();
  }

  #heard(): void {
    this.services.registry.heard(this.id, this.now);
  }
}

export type StreamAnswer =
  | { readonly type: "streaming" }
  /** The client saw the end that `until=terminal` asked for: it need not come again. */
  | { readonly type: "nothing_left" }
  | { readonly type: "refused"; readonly code: Refusal };
