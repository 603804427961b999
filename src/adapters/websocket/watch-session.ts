import { TelltaleError, TokenRejected } from "../../application/errors.ts";
import { Outlet } from "../../application/fan-out/outlet.ts";
import { type WatcherGrant, watcherGrantOf } from "../../application/grant-of.ts";
import type { NoticeWatch } from "../../application/notice-watch.ts";
import type { OpenConnection } from "../../application/open-connections.ts";
import type { ClientConnectionPort } from "../../application/ports/client-connection-port.ts";
import { reasonOf } from "../../application/reason-of.ts";
import { type AnalysisId, parseAnalysisId } from "../../domain/channel.ts";
import { CLOSE_CODES, type CloseCode, retryAfterReason } from "../../domain/close-code.ts";
import type { PresentedToken } from "../presented-token.ts";
import { authenticated, connectionEstablished, heartbeat, protocolError } from "../server-frames.ts";
import type { SessionServices } from "../session-services.ts";
import type { WatchQuery } from "../watch-query.ts";
import { BARE_PONG, readClientFrame } from "./client-frames.ts";
import { EarlyFrames } from "./early-frames.ts";
import { FrameBudget } from "./frame-budget.ts";
import { ManyAnalyses } from "./many-analyses.ts";
import { OneAnalysis } from "./one-analysis.ts";
import type { SessionHost } from "./session-host.ts";

/** What the upgrade request asked for; nothing of it is checked yet. */
export interface WatchIntent extends WatchQuery {
  /** Null on `/ws`. */
  readonly analysisId: string | null;
  readonly token: PresentedToken;
  readonly originAllowed: boolean;
}

/** How long a refused client should wait, when it is the gateway that cannot serve it. */
const RETRY_AFTER_MS = 1_000;
/** What a client may ask for and leave unread, in characters: the socket keeps it. */
const MOST_UNREAD_CHARACTERS = 1024 * 1024;

/** One WebSocket, without the socket: from the upgrade to the end, whichever way it comes. */
export class WatchSession implements OpenConnection, SessionHost {
  readonly outlet: Outlet;
  readonly services: SessionServices;
  readonly #connection: ClientConnectionPort;
  readonly #budget: FrameBudget;
  #state: SessionState;
  /** Whatever has to be given back at the end, whenever that is. */
  #held: { readonly watching: OneAnalysis | ManyAnalyses; readonly notices: NoticeWatch } | undefined;
  #authenticating: Promise<void> | undefined;
  #unread = 0;

  constructor(connection: ClientConnectionPort, intent: WatchIntent, services: SessionServices) {
    this.#connection = connection;
    this.#state = { type: "admitting", intent, early: new EarlyFrames(intent.analysisId === null) };
    this.services = services;
    this.#budget = new FrameBudget(services.settings.messageRate);
    this.outlet = new Outlet(connection, services.clock);
  }

  get authenticating(): Promise<void> | undefined {
    return this.#authenticating;
  }

  /** Admits the client or closes with the code that says why not. Never rejects. */
  async opened(): Promise<void> {
    try {
      if (this.#state.type === "admitting") await this.#admit(this.#state.intent);
    } catch (error) {
      this.failed(error);
    }
  }

  received(data: string | Uint8Array): void {
    this.signOfLife();
    if (this.#state.type === "closed") return;
    if (!this.#budget.mayTake(this.services.clock.now())) {
      this.close(CLOSE_CODES.protocolViolation, "message rate exceeded");
    } else if (this.#state.type === "watching") this.#serve(data);
    else if (!this.#state.early.keep(data))
      this.close(CLOSE_CODES.protocolViolation, "too many frames before connection_established");
  }

  /** Any frame at all, ping and pong frames included. */
  signOfLife(): void {
    this.services.registry.heard(this.#connection.id, this.services.clock.now());
  }

  drained(): void {
    this.#unread = 0;
    this.outlet.drained();
  }

  /** The socket is gone, however that came about. Idempotent. */
  closed(): void {
    this.#leave();
    this.outlet.closed();
    this.services.connections.remove(this.#connection.id);
  }

  /** A fault of our own: the client may come back, and nobody else notices. */
  failed(error: unknown): void {
    const expected = error instanceof TelltaleError;
    this.services.telemetry.log(expected ? "warn" : "error", "a connection could not be served", {
      code: expected ? error.code : "internal",
      message: reasonOf(error),
    });
    this.close(CLOSE_CODES.tryAgainLater, retryAfterReason(RETRY_AFTER_MS));
  }

  close(code: CloseCode, reason: string): void {
    this.#leave();
    this.#connection.close(code.code, reason);
  }

  sendHeartbeat(): void {
    this.outlet.sendControl(heartbeat("ping", this.services.clock.now()), "dispensable");
  }

  tooSlow(): void {
    this.close(CLOSE_CODES.tooSlow, "more waits than may be kept");
  }

  answer(frame: string): void {
    if (!this.outlet.open) this.#unread += frame.length;
    if (this.#unread > MOST_UNREAD_CHARACTERS) this.tooSlow();
    else this.outlet.sendControl(frame);
  }

  establish(resumed: boolean | null): void {
    if (this.#state.type !== "watching") return;
    const { analysisId } = this.#state;
    const connectionId = this.#connection.id;
    this.outlet.sendControl(connectionEstablished({ analysisId, connectionId, resumed }, this.services));
  }

  async #admit(intent: WatchIntent): Promise<void> {
    const { token, originAllowed } = intent;
    if (!originAllowed) return this.close(CLOSE_CODES.forbidden, "origin");
    const analysisId = intent.analysisId === null ? null : parseAnalysisId(intent.analysisId);
    if (analysisId === undefined) return this.close(CLOSE_CODES.notAnAnalysisId, "analysis_id is not a UUID");
    if (token.type !== "token") return this.close(CLOSE_CODES.unauthenticated, `token ${token.type}`);
    const holder = await this.#verify(token.token);
    if (holder === undefined || this.#state.type !== "admitting") return;
    const { userId, grant } = holder;
    const admission = this.services.connections.admit(this, { userId, tokenExpiresAt: grant.expiresAt });
    if (!admission.admitted) return this.#refuseFor(admission.limit);
    const watching =
      analysisId === null ? new ManyAnalyses(this, grant) : new OneAnalysis(this, analysisId, grant);
    const notices = this.services.subscribe.notices({ userId, outlet: this.outlet, owner: this });
    this.#held = { watching, notices };
    await Promise.all([watching.join(intent), notices.open()]);
    if (this.#state.type !== "admitting") return;
    const { early } = this.#state;
    this.#state = { type: "watching", analysisId, userId, watching };
    // Other viewers may have been declared while the replay was read.
    if (!watching.mayGoOn(grant)) return;
    this.services.heartbeats.begin(this);
    this.establish(watching.resumed);
    for (const fault of intent.faults)
      this.outlet.sendControl(protocolError(fault, this.services.clock.now()));
    notices.begin();
    watching.begin();
    for (const data of early.take()) this.#serve(data);
  }

  /** Undefined where the token is no good: then the client was told. */
  async #verify(token: string): Promise<WatcherGrant | undefined> {
    const holder = await watcherGrantOf(this.services.tokens, token);
    if (!(holder instanceof TokenRejected)) return holder;
    this.close(CLOSE_CODES.unauthenticated, holder.message);
    return undefined;
  }

  #refuseFor(limit: "total" | "user" | "draining"): void {
    const comeBack = retryAfterReason(RETRY_AFTER_MS);
    if (limit === "user") this.close(CLOSE_CODES.tooManyConnections, "too many connections of this user");
    else this.close(limit === "total" ? CLOSE_CODES.tryAgainLater : CLOSE_CODES.goingAway, comeBack);
  }

  #serve(data: string | Uint8Array): void {
    if (this.#state.type !== "watching") return;
    const now = this.services.clock.now();
    const { watching } = this.#state;
    const read = readClientFrame(data, watching.type);
    if (!read.ok) {
      if (this.#budget.mayErr(now)) this.outlet.sendControl(protocolError(read.fault, now));
      else this.close(CLOSE_CODES.protocolViolation, "too many protocol errors");
    } else if (read.frame.type === "bare_ping") this.outlet.sendControl(BARE_PONG, "dispensable");
    else if (read.frame.type === "ping") this.outlet.sendControl(heartbeat("pong", now), "dispensable");
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
    if (this.#state.type !== "watching") return;
    const holder = await this.#verify(token);
    const state = this.#state;
    if (holder === undefined || state.type !== "watching") return;
    if (holder.userId !== state.userId)
      return this.close(CLOSE_CODES.unauthenticated, "the token is another user's");
    if (!state.watching.mayGoOn(holder.grant)) return;
    this.services.registry.setTokenExpiry(this.#connection.id, holder.grant.expiresAt);
    this.answer(authenticated(holder.grant.expiresAt, this.services.clock.now()));
  }

  /** Gives back everything but the place in the registry, which the socket holds until it is really gone. */
  #leave(): void {
    this.#state = { type: "closed" };
    this.#held?.watching.end();
    this.#held?.notices.end();
    this.services.heartbeats.end(this);
  }
}

type SessionState =
  | { readonly type: "admitting"; readonly intent: WatchIntent; readonly early: EarlyFrames }
  | {
      readonly type: "watching";
      readonly analysisId: AnalysisId | null;
      readonly userId: string;
      readonly watching: OneAnalysis | ManyAnalyses;
    }
  | { readonly type: "closed" };
