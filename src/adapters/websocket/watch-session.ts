import { TelltaleError, TokenRejected } from "../../application/errors.ts";
import type { DeliveryOwner } from "../../application/fan-out/delivery.ts";
import { Outlet } from "../../application/fan-out/outlet.ts";
import { type WatcherGrant, watcherGrantOf } from "../../application/grant-of.ts";
import type { OpenConnection } from "../../application/open-connections.ts";
import type { ClientConnectionPort } from "../../application/ports/client-connection-port.ts";
import { reasonOf } from "../../application/reason-of.ts";
import type { Watch } from "../../application/watch.ts";
import type { AccessGrant, ViewerList } from "../../domain/access-grant.ts";
import { type AnalysisId, parseAnalysisId } from "../../domain/channel.ts";
import { CLOSE_CODES, type CloseCode, retryAfterReason } from "../../domain/close-code.ts";
import type { PresentedToken } from "../presented-token.ts";
import { authenticated, connectionEstablished, heartbeat, protocolError } from "../server-frames.ts";
import type { SessionServices } from "../session-services.ts";
import type { WatchQuery } from "../watch-query.ts";
import { readClientFrame } from "./client-frames.ts";
import { FrameBudget } from "./frame-budget.ts";

/** What the upgrade request asked for; nothing of it is checked yet. */
export interface WatchIntent extends WatchQuery {
  readonly analysisId: string;
  readonly token: PresentedToken;
  readonly originAllowed: boolean;
}

/** How long a refused client should wait, when it is the gateway that cannot serve it. */
const RETRY_AFTER_MS = 1_000;
/** Frames kept from a client that speaks before it is admitted; the eleventh ends it as an eleventh error would. */
const MOST_EARLY_FRAMES = 10;

/** One WebSocket on `/ws/analysis/{id}`, without the socket: from the upgrade to the end, whichever way it comes. */
export class WatchSession implements OpenConnection, DeliveryOwner {
  readonly outlet: Outlet;
  readonly #connection: ClientConnectionPort;
  readonly #services: SessionServices;
  readonly #budget: FrameBudget;
  #state: SessionState;
  /** Frames that need an answer from elsewhere are served one after the other. */
  #serving: Promise<void> = Promise.resolve();

  constructor(connection: ClientConnectionPort, intent: WatchIntent, services: SessionServices) {
    this.#connection = connection;
    this.#state = { type: "admitting", intent, early: [] };
    this.#services = services;
    this.#budget = new FrameBudget(services.settings.messageRate);
    this.outlet = new Outlet(connection, services.clock);
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
    if (!this.#budget.mayTake(this.#services.clock.now())) {
      this.close(CLOSE_CODES.protocolViolation, "message rate exceeded");
    } else if (this.#state.type === "watching") this.#serve(data);
    else if (this.#state.early.length < MOST_EARLY_FRAMES) this.#state.early.push(data);
    else this.close(CLOSE_CODES.protocolViolation, "too many frames before connection_established");
  }

  /** Any frame at all, ping and pong frames included. */
  signOfLife(): void {
    this.#services.registry.heard(this.#connection.id, this.#services.clock.now());
  }

  drained(): void {
    this.outlet.drained();
  }

  /** The socket is gone, however that came about. Idempotent. */
  closed(): void {
    this.#leave();
    this.outlet.closed();
    this.#services.connections.remove(this.#connection.id);
  }

  /** A fault of our own: the client may come back, and nobody else notices. */
  failed(error: unknown): void {
    const expected = error instanceof TelltaleError;
    this.#services.telemetry.log(expected ? "warn" : "error", "a connection could not be served", {
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
    this.outlet.sendControl(heartbeat("ping", this.#services.clock.now()), "dispensable");
  }

  tooSlow(): void {
    this.close(CLOSE_CODES.tooSlow, "more waits than may be kept");
  }

  startsAfresh(): void {
    if (this.#state.type === "watching") this.#establish(this.#state.analysisId, false);
  }

  finished(): void {
    this.close(CLOSE_CODES.finished, "finished");
  }

  viewersChanged(viewers: ViewerList): void {
    if (this.#state.type === "watching")
      this.#checkRights(this.#state.grant, this.#state.analysisId, viewers);
  }

  async #admit(intent: WatchIntent): Promise<void> {
    const { token, originAllowed, replay, untilTerminal, conflates } = intent;
    if (!originAllowed) return this.close(CLOSE_CODES.forbidden, "origin");
    const analysisId = parseAnalysisId(intent.analysisId);
    if (analysisId === undefined) return this.close(CLOSE_CODES.notAnAnalysisId, "analysis_id is not a UUID");
    if (token.type !== "token") return this.close(CLOSE_CODES.unauthenticated, `token ${token.type}`);
    const holder = await this.#verify(token.token);
    if (holder === undefined || this.#state.type !== "admitting") return;
    const { userId, grant } = holder;
    const admission = this.#services.connections.admit(this, { userId, tokenExpiresAt: grant.expiresAt });
    if (!admission.admitted) return this.#refuseFor(admission.limit);
    const request = {
      analysisId,
      userId,
      grant,
      outlet: this.outlet,
      owner: this,
      replay,
      untilTerminal,
      conflates,
    };
    const answer = await this.#services.subscribe.execute(request);
    if (answer.type === "not_allowed")
      return this.close(CLOSE_CODES.forbidden, "not allowed to watch this analysis");
    if (this.#state.type !== "admitting") return answer.watch.end();
    const { early } = this.#state;
    this.#state = { type: "watching", analysisId, grant, userId, watch: answer.watch };
    // Other viewers may have been declared while the replay was read.
    if (!this.#checkRights(grant, analysisId, answer.watch.viewers)) return;
    this.#services.heartbeats.begin(this);
    this.#establish(analysisId, answer.watch.resumed);
    for (const fault of intent.faults)
      this.outlet.sendControl(protocolError(fault, this.#services.clock.now()));
    answer.watch.begin();
    for (const data of early) this.#serve(data);
  }

  /** Undefined where the token is no good: then the client was told. */
  async #verify(token: string): Promise<WatcherGrant | undefined> {
    const holder = await watcherGrantOf(this.#services.tokens, token);
    if (!(holder instanceof TokenRejected)) return holder;
    this.close(CLOSE_CODES.unauthenticated, holder.message);
    return undefined;
  }

  #refuseFor(limit: "total" | "user" | "draining"): void {
    const comeBack = retryAfterReason(RETRY_AFTER_MS);
    if (limit === "user") this.close(CLOSE_CODES.tooManyConnections, "too many connections of this user");
    else this.close(limit === "total" ? CLOSE_CODES.tryAgainLater : CLOSE_CODES.goingAway, comeBack);
  }

  #establish(analysisId: AnalysisId, resumed: boolean | null): void {
    const connectionId = this.#connection.id;
    this.outlet.sendControl(connectionEstablished({ analysisId, connectionId, resumed }, this.#services));
  }

  #serve(data: string | Uint8Array): void {
    if (this.#state.type !== "watching") return;
    const now = this.#services.clock.now();
    const read = readClientFrame(data);
    if (!read.ok) {
      if (this.#budget.mayErr()) this.outlet.sendControl(protocolError(read.fault, now));
      else this.close(CLOSE_CODES.protocolViolation, "too many protocol errors");
    } else if (read.frame.type === "ping") this.outlet.sendControl(heartbeat("pong", now), "dispensable");
    else this.#authenticateNext(read.frame.token);
  }

  #authenticateNext(token: string): void {
    if (!this.#budget.mayWait()) {
      this.close(CLOSE_CODES.protocolViolation, "too many frames wait for an answer");
      return;
    }
    this.#serving = this.#serving
      .then(() => this.#authenticate(token))
      .catch((error: unknown) => this.failed(error))
      .finally(() => this.#budget.answered());
  }

  async #authenticate(token: string): Promise<void> {
    if (this.#state.type !== "watching") return;
    const holder = await this.#verify(token);
    const state = this.#state;
    if (holder === undefined || state.type !== "watching") return;
    if (holder.userId !== state.userId)
      return this.close(CLOSE_CODES.unauthenticated, "the token is another user's");
    if (!this.#checkRights(holder.grant, state.analysisId, state.watch.viewers)) return;
    this.#state = { ...state, grant: holder.grant };
    this.#services.registry.setTokenExpiry(this.#connection.id, holder.grant.expiresAt);
    this.outlet.sendControl(authenticated(holder.grant.expiresAt, this.#services.clock.now()));
  }

  #checkRights(grant: AccessGrant, analysisId: AnalysisId, viewers: ViewerList | undefined): boolean {
    const allowed = this.#services.subscribe.mayStillWatch(grant, analysisId, viewers);
    if (!allowed) this.close(CLOSE_CODES.forbidden, "not allowed to watch this analysis");
    return allowed;
  }

  /** Gives back everything but the place in the registry, which the socket holds until it is really gone. */
  #leave(): void {
    const state = this.#state;
    this.#state = { type: "closed" };
    if (state.type === "watching") state.watch.end();
    this.#services.heartbeats.end(this);
  }
}

type SessionState =
  | { readonly type: "admitting"; readonly intent: WatchIntent; readonly early: (string | Uint8Array)[] }
  | {
      readonly type: "watching";
      readonly analysisId: AnalysisId;
      readonly userId: string;
      readonly grant: AccessGrant;
      readonly watch: Watch;
    }
  | { readonly type: "closed" };
