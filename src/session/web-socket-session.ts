import { alone } from "../application/alone.ts";
import { TokenRejected } from "../application/errors.ts";
import type { WatcherGrant } from "../application/grant-of.ts";
import type { ClientConnectionPort, ControlFrame } from "../application/ports/client-connection-port.ts";
import type { HeartbeatConnection } from "../application/send-heartbeats.ts";
import { checkOf } from "../application/token-checks.ts";
import { parseAnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES } from "../domain/close-code.ts";
import type { EventPosition } from "../domain/event-position.ts";
import { holderOf } from "./admission.ts";
import { readClientFrame } from "./client-frames.ts";
import { ClientLimits } from "./client-limits.ts";
import { ManyAnalyses } from "./many-analyses.ts";
import { OneAnalysis } from "./one-analysis.ts";
import type { PresentedToken } from "./presented-token.ts";
import { authenticated, BARE_PONG, heartbeat, protocolError } from "./server-frames.ts";
import { Session } from "./session.ts";
import type { SessionServices } from "./session-services.ts";
import type { SubscribingHost } from "./subscription.ts";
import type { WatchQuery } from "./watch-query.ts";

/**
 * One WebSocket without its socket. A runtime adapter constructs it when the socket is open, calls `opened` once, then
 * `received`, `pinged`, `ponged` and `drained` as they happen, and `closed` once the socket is gone. None of them throws.
 */
export class WebSocketSession
  extends Session<OneAnalysis | ManyAnalyses>
  implements HeartbeatConnection, SubscribingHost
{
  readonly #intent: WatchIntent;
  readonly #limits: ClientLimits;
  #authenticating: Promise<void> | undefined;

  constructor(connection: ClientConnectionPort, intent: WatchIntent, services: SessionServices) {
    super(connection, services, "websocket");
    this.#intent = intent;
    this.#limits = new ClientLimits({
      framesPerSecond: services.settings.messageRate,
      subscribes: intent.analysisId === null,
    });
  }

  get lastSentAt(): number {
    return this.writer.lastSentAt;
  }

  get authenticating(): Promise<void> | undefined {
    return this.#authenticating;
  }

  /** Admits the client, or closes with the code that says why not. Never rejects. */
  async opened(): Promise<void> {
    try {
      await this.#admit(this.#intent);
    } catch (error) {
      this.failed(error);
    }
  }

  /** A text frame as a string, a binary frame as bytes. */
  received(data: string | Uint8Array): void {
    alone(this, () => {
      if (!this.#mayTakeFrame()) return;
      if (this.admission.state.type === "watching") this.#serve(data);
      else if (!this.#limits.keepEarly(data))
        this.close(CLOSE_CODES.protocolViolation, "too many frames before connection_established");
    });
  }

  /** A ping frame, which the runtime has answered by itself, whether or not its client reads. */
  pinged(payloadBytes: number): void {
    alone(this, () => {
      if (!this.#mayTakeFrame()) return;
      if (!this.#limits.mayLeavePongUnread(payloadBytes, this.connection.unsent)) this.tooSlow();
    });
  }

  ponged(): void {
    alone(this, () => void this.#mayTakeFrame());
  }

  /** The socket took everything that waited. */
  drained(): void {
    alone(this, () => {
      this.#limits.readAll();
      this.writer.drained();
    });
  }

  /** Asked after a silence: a client whose socket is not blocked would have answered the pings. */
  progresses(): boolean {
    return this.connection.unsent > 0 && this.connection.tookSome();
  }

  ping(): void {
    this.connection.ping();
  }

  sendHeartbeat(): void {
    this.writer.sendControl(heartbeat("ping", this.now, this.#marker), "dispensable");
  }

  answer(frame: ControlFrame): void {
    if (this.writer.open || this.#limits.mayLeaveUnread(frame.text.length)) this.writer.sendControl(frame);
    else this.tooSlow();
  }

  async #admit(intent: WatchIntent): Promise<void> {
    if (!intent.originAllowed) return this.refuse("origin_not_allowed");
    const analysisId = intent.analysisId === null ? null : parseAnalysisId(intent.analysisId);
    if (analysisId === undefined) return this.refuse("not_an_analysis_id");
    const holder = await this.#verify(intent.token);
    if (holder === undefined || this.admission.state.type === "left") return;
    const full = this.admission.enter(holder);
    if (full !== undefined) return this.refuse(full);
    const { userId, grant } = holder;
    const watched =
      analysisId === null ? new ManyAnalyses(this, grant) : new OneAnalysis(this, analysisId, grant);
    if ((await this.prepare(watched, { ...intent, userId, grant })) !== undefined) return;
    this.begin(watched, { keepsAlive: this.#sendHeartbeats(), faults: intent.faults });
    for (const data of this.#limits.takeEarly()) this.#serve(data);
  }

  /** Undefined if the client does not want to know, and on `/ws`, where each analysis has its own. */
  get #marker(): EventPosition | undefined {
    const { state } = this.admission;
    return state.type === "watching" && state.watched.type === "one" ? state.watched.marker : undefined;
  }

  /** Undefined if the token is no good: then the client was told. */
  async #verify(token: PresentedToken): Promise<WatcherGrant | undefined> {
    const holder = await holderOf(this.services.tokens, token);
    if (!(holder instanceof TokenRejected)) return holder;
    this.noteRefused("unauthenticated", checkOf(holder));
    this.close(CLOSE_CODES.unauthenticated, holder.message);
    return undefined;
  }

  #sendHeartbeats(): { end(): void } {
    const { heartbeats } = this.services;
    heartbeats.begin(this);
    return { end: () => heartbeats.end(this) };
  }

  /** Any frame is a sign of life, control frames included, unless its client reads nothing of what waits. */
  #mayTakeFrame(): boolean {
    if (this.admission.state.type === "left") return false;
    if (this.connection.tookSome()) this.services.registry.heard(this.id, this.now);
    if (this.#limits.mayTakeFrame(this.now)) return true;
    this.close(CLOSE_CODES.protocolViolation, "message rate exceeded");
    return false;
  }

  #serve(data: string | Uint8Array): void {
    const { state } = this.admission;
    if (state.type !== "watching") return;
    const { watched } = state;
    const read = readClientFrame(data, watched.type);
    if (!read.ok) {
      if (this.#limits.mayErr(this.now)) this.writer.sendControl(protocolError(read.fault, this.now));
      else this.close(CLOSE_CODES.protocolViolation, "too many protocol errors");
    } else if (read.frame.type === "bare_ping") this.writer.sendControl(BARE_PONG, "dispensable");
    else if (read.frame.type === "ping")
      this.writer.sendControl(heartbeat("pong", this.now, this.#marker), "dispensable");
    else if (read.frame.type === "authenticate") this.#authenticateNext(read.frame.token);
    else if (watched.type === "many") watched.take(read.frame);
  }

  /** Tokens are verified one after the other, in the order they came. */
  #authenticateNext(token: string): void {
    if (!this.#limits.mayPresentToken()) {
      this.close(CLOSE_CODES.protocolViolation, "too many frames wait for an answer");
      return;
    }
    const served = (this.#authenticating ?? Promise.resolve())
      .then(() => this.#authenticate(token))
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.#limits.tokenVerified();
        if (this.#authenticating === served) this.#authenticating = undefined;
      });
    this.#authenticating = served;
  }

  async #authenticate(token: string): Promise<void> {
    const holder = await this.#verify({ type: "token", token });
    const { state } = this.admission;
    if (holder === undefined || state.type !== "watching") return;
    if (holder.userId !== state.userId)
      return this.close(CLOSE_CODES.unauthenticated, "the token is another user's");
    if (!state.watched.mayGoOn(holder.grant)) return;
    this.admission.renew(holder);
    this.answer(authenticated(holder.grant.expiresAt, this.now));
  }
}

/** Everything that the upgrade request asked for; nothing of it is checked yet. */
export interface WatchIntent extends WatchQuery {
  /** Null on `/ws`. */
  readonly analysisId: string | null;
  readonly token: PresentedToken;
  readonly originAllowed: boolean;
}
