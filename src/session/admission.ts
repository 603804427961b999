import { AccessUndecided, NewerFormat, TokenRejected } from "../application/errors.ts";
import { grantOf, type WatcherGrant, watcherOf } from "../application/grant-of.ts";
import type { OpenConnection } from "../application/open-connections.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import { AccessGrant } from "../domain/access-grant.ts";
import { CLOSE_CODES, type CloseCode, NOT_DECLARED, retryAfterReason } from "../domain/close-code.ts";
import type { PresentedToken } from "./presented-token.ts";
import type { SessionServices } from "./session-services.ts";

/**
 * The one way in and out for every watcher: a WebSocket, an event stream, a read that waits. `enter` counts the
 * connection and checks its limits. From then on the expiry of its token, silence or a drain can end it. The admission
 * ends everything that the connection holds exactly once, at whatever instant the connection leaves.
 */
export class Admission<Watched> {
  readonly #connection: OpenConnection;
  readonly #services: AdmissionServices;
  readonly #held: Held[] = [];
  #state: AdmissionState<Watched> = { type: "arriving" };

  constructor(connection: OpenConnection, services: AdmissionServices) {
    this.#connection = connection;
    this.#services = services;
  }

  get state(): AdmissionState<Watched> {
    return this.#state;
  }

  /** Counts the connection, or says why there is no place for it. To be called once, before the connection left. */
  enter({ userId, grant }: WatcherGrant): Refusal | undefined {
    const { connections } = this.#services;
    const answer = connections.admit(this.#connection, { userId, tokenExpiresAt: grant.expiresAt });
    if (!answer.admitted) return LIMITS[answer.limit];
    this.#state = { type: "admitted", userId };
    const { id, transport } = this.#connection;
    this.#services.telemetry.log("debug", "a client connected", { connection: id, transport });
    return undefined;
  }

  /** Ends `held` when the connection leaves: at once if it left already. */
  hold(held: Held): void {
    if (this.#state.type === "left") held.end();
    else this.#held.push(held);
  }

  /** Everything is prepared: from now on the connection watches. False if it left meanwhile. */
  begin(watched: Watched): boolean {
    if (this.#state.type !== "admitted") return false;
    this.#state = { type: "watching", userId: this.#state.userId, watched };
    return true;
  }

  /** The same user presented another token. */
  renew({ grant }: WatcherGrant): void {
    this.#services.registry.setTokenExpiry(this.#connection.id, grant.expiresAt);
  }

  /**
   * Ends everything that the connection holds. The connection stays counted until `gone`, because a socket that is
   * closing still exists. Idempotent: the first reason counts.
   */
  leave(code?: CloseCode, refusal: Refusal = refusalOf(code)): void {
    if (this.#state.type === "left") return;
    this.#noteEnd(code);
    this.#state = { type: "left", code, refusal };
    const faults: unknown[] = [];
    for (const held of this.#held.splice(0)) {
      try {
        held.end();
      } catch (error) {
        // The others are ended first.
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
  }

  /** As `leave`, and the connection is no longer counted. Idempotent. */
  gone(code?: CloseCode): void {
    try {
      this.leave(code);
    } finally {
      this.#services.connections.remove(this.#connection.id);
    }
  }

  /** A request over HTTP that was never served has no connection that could end: its answer says why. */
  #noteEnd(ended: CloseCode | undefined): void {
    const { id, transport } = this.#connection;
    const isServed = transport === "websocket" || this.#state.type === "watching" || ended !== undefined;
    if (!isServed) return;
    const code = ended === undefined ? "none" : `${ended.code}`;
    this.#services.telemetry.count("telltale_connections_closed_total", { code });
    this.#services.telemetry.log("debug", "a connection ended", { connection: id, transport, code });
  }
}

type AdmissionServices = Pick<SessionServices, "connections" | "registry" | "telemetry">;

/** One connection, from its request to its end. Each state leads to the next one, and every state to `left`. */
type AdmissionState<Watched> =
  /** The session checks the request. The connection is not counted yet. */
  | { readonly type: "arriving" }
  /** The connection is counted, and the session prepares everything that it watches. */
  | { readonly type: "admitted"; readonly userId: string }
  | { readonly type: "watching"; readonly userId: string; readonly watched: Watched }
  /** `code` is undefined if the client went by itself; `refusal` answers a request that was not answered yet. */
  | { readonly type: "left"; readonly code: CloseCode | undefined; readonly refusal: Refusal };

/** Something that ends with the connection that holds it. `end` is idempotent. */
export interface Held {
  end(): void;
}

/** How long a client should wait if the gateway cannot serve it now. */
const RETRY_AFTER_MS = 1_000;
/** Only a release cures this: another gateway answers, or the newer history has expired. */
const NEWER_FORMAT_RETRY_MS = 10_000;

/**
 * Why a client is refused, before or while it watches. A WebSocket is closed with the code and the reason; over HTTP
 * the name is the `code` of the problem.
 */
export const REFUSALS = {
  origin_not_allowed: { code: CLOSE_CODES.forbidden, reason: "origin" },
  not_an_analysis_id: { code: CLOSE_CODES.notAnAnalysisId, reason: "analysis_id is not a UUID" },
  unauthenticated: { code: CLOSE_CODES.unauthenticated, reason: "no valid token" },
  too_many_connections: { code: CLOSE_CODES.tooManyConnections, reason: "too many connections of this user" },
  over_capacity: { code: CLOSE_CODES.tryAgainLater, reason: retryAfterReason(RETRY_AFTER_MS) },
  access_undecided: { code: CLOSE_CODES.tryAgainLater, reason: retryAfterReason(RETRY_AFTER_MS) },
  newer_format: {
    code: CLOSE_CODES.tryAgainLater,
    reason: `${retryAfterReason(NEWER_FORMAT_RETRY_MS)} newer_format`,
  },
  going_away: { code: CLOSE_CODES.goingAway, reason: retryAfterReason(RETRY_AFTER_MS) },
  not_allowed: { code: CLOSE_CODES.forbidden, reason: "not allowed to watch this analysis" },
  not_declared: { code: CLOSE_CODES.forbidden, reason: NOT_DECLARED },
  position_gone: { code: CLOSE_CODES.positionGone, reason: "position_gone" },
} as const satisfies Record<string, { readonly code: CloseCode; readonly reason: string }>;

export type Refusal = keyof typeof REFUSALS;

const LIMITS = { user: "too_many_connections", total: "over_capacity", draining: "going_away" } as const;

/** The refusal for a client that could not be served, because somebody else is away or the gateway has a fault. */
export function refusalFor(error: unknown): Refusal {
  if (error instanceof AccessUndecided) return "access_undecided";
  return error instanceof NewerFormat ? "newer_format" : "over_capacity";
}

/** The refusal for a client whose connection was closed with `code` before its request was answered. */
function refusalOf(code: CloseCode | undefined): Refusal {
  if (code === CLOSE_CODES.forbidden) return "not_allowed";
  if (code === CLOSE_CODES.goingAway) return "going_away";
  return code === CLOSE_CODES.unauthenticated ? "unauthenticated" : "over_capacity";
}

/** The holder of the token, or `TokenRejected` with the reason. Throws the fault of a verifier that fails. */
export async function holderOf(
  tokens: TokenVerifierPort,
  presented: PresentedToken,
): Promise<WatcherGrant | TokenRejected> {
  const grant = await presentedGrant(tokens, presented);
  return grant instanceof TokenRejected ? grant : watcherOf(grant);
}

/** As `holderOf`, of a publisher as well: such a token may name nobody. */
export async function presentedGrant(
  tokens: TokenVerifierPort,
  presented: PresentedToken,
): Promise<AccessGrant | TokenRejected> {
  if (presented.type === "token") return grantOf(tokens, presented.token);
  if (presented.type !== "asked") return new TokenRejected(`token ${presented.type}`);
  const holder = await presented.holder();
  return holder === undefined ? new TokenRejected("not signed in") : new AccessGrant(holder);
}
