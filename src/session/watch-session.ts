import { TokenRejected } from "../application/errors.ts";
import { ConnectionWriter } from "../application/fan-out/connection-writer.ts";
import type { WatcherGrant } from "../application/grant-of.ts";
import type { OpenConnection } from "../application/open-connections.ts";
import type { ClientConnectionPort, ControlFrame } from "../application/ports/client-connection-port.ts";
import type { HeartbeatConnection } from "../application/send-heartbeats.ts";
import { parseAnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES, type CloseCode } from "../domain/close-code.ts";
import { Admission, holderOf, REFUSALS, type Refusal, refusalFor } from "./admission.ts";
import { readClientFrame } from "./client-frames.ts";
import { EarlyFrames } from "./early-frames.ts";
import { FrameBudget } from "./frame-budget.ts";
import { ManyAnalyses } from "./many-analyses.ts";
import { OneAnalysis } from "./one-analysis.ts";
import type { PresentedToken } from "./presented-token.ts";
import {
  authenticated,
  BARE_PONG,
  connectionEstablished,
  heartbeat,
  protocolError,
} from "./server-frames.ts";
import { logFault } from "./session-fault.ts";
import type { SessionHost } from "./session-host.ts";
import type { SessionServices } from "./session-services.ts";
import { UnreadAnswers } from "./unread-answers.ts";
import type { WatchQuery } from "./watch-query.ts";

/** What the upgrade request asked for; nothing of it is checked yet. */
export interface WatchIntent extends WatchQuery {
  /** Null on `/ws`. */
  readonly analysisId: string | null;
  readonly token: PresentedToken;
  readonly originAllowed: boolean;
}

/** One WebSocket, without the socket: from the upgrade to the end, whichever way it comes. */
export class WatchSession implements OpenConnection, HeartbeatConnection, SessionHost {
  readonly writer: ConnectionWriter;
  readonly services: SessionServices;
  readonly #connection: ClientConnectionPort;
  readonly #intent: WatchIntent;
  readonly #budget: FrameBudget;
  readonly #admission: Admission;
  readonly #early: EarlyFrames;
  #watching: OneAnalysis | ManyAnalyses | undefined;
  #authenticating: Promise<void> | undefined;
  readonly #unread = new UnreadAnswers();

  constructor(connection: ClientConnectionPort, intent: WatchIntent, services: SessionServices) {
    this.#connection = connection;
    this.#intent = intent;
    this.services = services;
    this.#admission = new Admission(this, services);
    this.#early = new EarlyFrames(intent.analysisId === null);
    this.#budget = new FrameBudget(services.settings.messageRate);
    this.writer = new ConnectionWriter(connection, services.clock);
  }

  get id(): string {
    return this.#connection.id;
  }

  get lastSentAt(): number {
    return this.writer.lastSentAt;
  }

  get authenticating(): Promise<void> | undefined {
    return this.#authenticating;
  }

  /** Admits the client or closes with the code that says why not. Never rejects. */
  async opened(): Promise<void> {
    try {
      await this.#admit(this.#intent);
    } catch (error) {
      this.failed(error);
    }
  }

  received(data: string | Uint8Array): void {
    if (!this.#mayTakeFrame()) return;
    if (this.#admission.state === "watching") this.#serve(data);
    else if (!this.#early.keep(data))
      this.close(CLOSE_CODES.protocolViolation, "too many frames before connection_established");
  }

  /** A ping frame, which the runtime has answered by itself, whether or not its client reads. */
  pinged(payloadBytes: number): void {
    if (!this.#mayTakeFrame()) return;
    if (!this.#unread.addPong(payloadBytes, this.#connection.unsent)) this.tooSlow();
  }

  ponged(): void {
    this.#mayTakeFrame();
  }

  drained(): void {
    this.#unread.read();
    this.writer.drained();
  }

  /** The socket is gone, however that came about. Idempotent. */
  closed(): void {
    this.writer.closed();
    this.#admission.gone();
  }

  /** Asked after a silence: a client whose socket is not blocked would have answered the pings. */
  progresses(): boolean {
    return this.#connection.unsent > 0 && this.#connection.tookSome();
  }

  /** A fault of our own: the client may come back, and nobody else notices. */
  failed(error: unknown): void {
    logFault(this.services.telemetry, error);
    try {
      this.#refuse(refusalFor(error));
    } catch (again) {
      logFault(this.services.telemetry, again);
      this.services.connections.remove(this.id);
    }
  }

  close(code: CloseCode, reason: string): void {
    try {
      this.#admission.leave(code);
    } finally {
      this.#connection.close(code.code, reason);
    }
  }

  ping(): void {
    this.#connection.ping();
  }

  sendHeartbeat(): void {
    this.writer.sendControl(heartbeat("ping", this.#now), "dispensable");
  }

  tooSlow(): void {
    this.close(CLOSE_CODES.tooSlow, "more waits than may be kept");
  }

  answer(frame: ControlFrame): void {
    if (this.writer.open || this.#unread.add(frame.text.length)) this.writer.sendControl(frame);
    else this.tooSlow();
  }

  establish(resumed: boolean | null): void {
    if (this.#admission.state !== "watching") return;
    const analysisId = this.#watching?.analysisId ?? null;
    this.writer.sendControl(
      connectionEstablished({ analysisId, connectionId: this.id, resumed }, this.services),
    );
  }

  async #admit(intent: WatchIntent): Promise<void> {
    if (!intent.originAllowed) return this.#refuse("origin_not_allowed");
    const analysisId = intent.analysisId === null ? null : parseAnalysisId(intent.analysisId);
    if (analysisId === undefined) return this.#refuse("not_an_analysis_id");
    const holder = await this.#verify(intent.token);
    if (holder === undefined || this.#admission.state === "left") return;
    const refusal = this.#admission.enter(holder);
    if (refusal !== undefined) return this.#refuse(refusal);
    const { userId, grant } = holder;
    const watching =
      analysisId === null ? new ManyAnalyses(this, grant) : new OneAnalysis(this, analysisId, grant);
    const notices = this.services.subscribe.notices({ userId, writer: this.writer, owner: this });
    this.#watching = watching;
    this.#admission.hold(watching);
    this.#admission.hold(notices);
    await Promise.all([watching.join(intent), notices.open()]);
    // Other viewers may have been declared while the replay was read.
    if (!this.#admission.begin() || !watching.mayGoOn(grant)) return;
    this.services.heartbeats.begin(this);
    this.#admission.hold({ end: () => this.services.heartbeats.end(this) });
    this.establish(watching.resumed);
    for (const fault of intent.faults) this.writer.sendControl(protocolError(fault, this.#now));
    notices.begin();
    watching.begin();
    for (const data of this.#early.take()) this.#serve(data);
  }

  /** Undefined where the token is no good: then the client was told. */
  async #verify(token: PresentedToken): Promise<WatcherGrant | undefined> {
    const holder = await holderOf(this.services.tokens, token);
    if (!(holder instanceof TokenRejected)) return holder;
    this.close(CLOSE_CODES.unauthenticated, holder.message);
    return undefined;
  }

  #refuse(refusal: Refusal): void {
    const { code, reason } = REFUSALS[refusal];
    this.close(code, reason);
  }

  /** Any frame at all, control frames included, is a sign of life, unless its client reads nothing of what waits. */
  #mayTakeFrame(): boolean {
    if (this.#admission.state === "left") return false;
    if (this.#connection.tookSome()) this.services.registry.heard(this.id, this.#now);
    if (this.#budget.mayTake(this.#now)) return true;
    this.close(CLOSE_CODES.protocolViolation, "message rate exceeded");
    return false;
  }

  #serve(data: string | Uint8Array): void {
    if (this.#admission.state !== "watching" || this.#watching === undefined) return;
    const watching = this.#watching;
    const read = readClientFrame(data, watching.type);
    if (!read.ok) {
      if (this.#budget.mayErr(this.#now)) this.writer.sendControl(protocolError(read.fault, this.#now));
      else this.close(CLOSE_CODES.protocolViolation, "too many protocol errors");
    } else if (read.frame.type === "bare_ping") this.writer.sendControl(BARE_PONG, "dispensable");
    else if (read.frame.type === "ping") this.writer.sendControl(heartbeat("pong", this.#now), "dispensable");
    else if (read.frame.type === "authenticate") this.#authenticateNext(read.frame.token);
    else if (watching.type === "many") watching.take(read.frame);
  }

  #authenticateNext(token: string): void {
    if (!this.#budget.mayWait()) {
      this.close(CLOSE_CODES.protocolViolation, "too many frames wait for an answer");
      return;
    }
    const served = (this.#authenticating ?? Promise.resolve())
      .then(() => this.#authenticate(token))
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.#budget.answered();
        if (this.#authenticating === served) this.#authenticating = undefined;
      });
    this.#authenticating = served;
  }

  async #authenticate(token: string): Promise<void> {
    const holder = await this.#verify({ type: "token", token });
    if (holder === undefined || this.#admission.state !== "watching") return;
    if (holder.userId !== this.#admission.userId)
      return this.close(CLOSE_CODES.unauthenticated, "the token is another user's");
    if (this.#watching?.mayGoOn(holder.grant) !== true) return;
    this.#admission.renew(holder);
    this.answer(authenticated(holder.grant.expiresAt, this.#now));
  }

  get #now(): number {
    return this.services.clock.now();
  }
}
