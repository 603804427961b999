import { NewerFormat, TokenRejected } from "../application/errors.ts";
import { type WatcherGrant, watcherGrantOf } from "../application/grant-of.ts";
import type { OpenConnection } from "../application/open-connections.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import { CLOSE_CODES, type CloseCode, NOT_DECLARED, retryAfterReason } from "../domain/close-code.ts";
import type { PresentedToken } from "./presented-token.ts";
import type { SessionServices } from "./session-services.ts";

/** How long a refused client should wait, if it is the gateway that cannot serve it. */
const RETRY_AFTER_MS = 1_000;
/** Until another gateway answers, or what was newer is gone: a matter of a release, not of a moment. */
const NEWER_FORMAT_RETRY_MS = 10_000;

/** Why somebody is not let in, or not any more: a WebSocket is closed with its code, over HTTP the name is the problem. */
export const REFUSALS = {
  origin_not_allowed: { code: CLOSE_CODES.forbidden, reason: "origin" },
  not_an_analysis_id: { code: CLOSE_CODES.notAnAnalysisId, reason: "analysis_id is not a UUID" },
  unauthenticated: { code: CLOSE_CODES.unauthenticated, reason: "no valid token" },
  too_many_connections: { code: CLOSE_CODES.tooManyConnections, reason: "too many connections of this user" },
  over_capacity: { code: CLOSE_CODES.tryAgainLater, reason: retryAfterReason(RETRY_AFTER_MS) },
  newer_format: {
    code: CLOSE_CODES.tryAgainLater,
    reason: `${retryAfterReason(NEWER_FORMAT_RETRY_MS)} newer_format`,
  },
  going_away: { code: CLOSE_CODES.goingAway, reason: retryAfterReason(RETRY_AFTER_MS) },
  not_allowed: { code: CLOSE_CODES.forbidden, reason: "not allowed to watch this analysis" },
  not_declared: { code: CLOSE_CODES.forbidden, reason: NOT_DECLARED },
} as const satisfies Record<string, { readonly code: CloseCode; readonly reason: string }>;

export type Refusal = keyof typeof REFUSALS;

/** What somebody is told whom a fault kept from being served. */
export function refusalFor(error: unknown): Refusal {
  return error instanceof NewerFormat ? "newer_format" : "over_capacity";
}

/** Something to be given back when the connection that holds it leaves. Idempotent. */
export interface Held {
  end(): void;
}

/** Whose token this is; a `TokenRejected` says why it is no good. A fault of the verifier itself is thrown on. */
export async function holderOf(
  tokens: TokenVerifierPort,
  presented: PresentedToken,
): Promise<WatcherGrant | TokenRejected> {
  if (presented.type !== "token") return new TokenRejected(`token ${presented.type}`);
  return watcherGrantOf(tokens, presented.token);
}

/**
 * The one way in, and out again, for everybody who watches, whatever the transport: WebSocket, server-sent events, a
 * read that waits. From `enter` on the connection is counted, limited, and ended by the expiry of its token, by silence
 * and by a drain; whatever it holds is given back once, at whatever instant and for whatever reason it leaves.
 */
export class Admission {
  readonly #connection: OpenConnection;
  readonly #services: Pick<SessionServices, "connections" | "registry">;
  readonly #held: Held[] = [];
  #state: AdmissionState = { type: "outside" };

  constructor(connection: OpenConnection, services: Pick<SessionServices, "connections" | "registry">) {
    this.#connection = connection;
    this.#services = services;
  }

  get state(): AdmissionState["type"] {
    return this.#state.type;
  }

  /** Why it left; undefined while it has not, or if its client went by itself. */
  get why(): CloseCode | undefined {
    return this.#state.type === "left" ? this.#state.why : undefined;
  }

  /** The user it was let in for; undefined outside. */
  get userId(): string | undefined {
    return this.#state.type === "inside" || this.#state.type === "watching" ? this.#state.userId : undefined;
  }

  /** Takes its place in the books, or says why there is none. Once a connection, and not after it left. */
  enter({ userId, grant }: WatcherGrant): Refusal | undefined {
    const { connections } = this.#services;
    const answer = connections.admit(this.#connection, { userId, tokenExpiresAt: grant.expiresAt });
    if (!answer.admitted) return LIMITS[answer.limit];
    this.#state = { type: "inside", userId };
    return undefined;
  }

  /** Gives it back when the connection leaves: at once if it has left already. */
  hold(held: Held): void {
    if (this.#state.type === "left") held.end();
    else this.#held.push(held);
  }

  /** What it asked for is prepared: from now on it watches. False if it left meanwhile. */
  begin(): boolean {
    if (this.#state.type !== "inside") return false;
    this.#state = { type: "watching", userId: this.#state.userId };
    return true;
  }

  /** With another token of the same user. */
  renew({ grant }: WatcherGrant): void {
    this.#services.registry.setTokenExpiry(this.#connection.id, grant.expiresAt);
  }

  /** Gives back all it holds, but for its place in the books: a socket has that until it is really gone. Idempotent. */
  leave(why?: CloseCode): void {
    if (this.#state.type === "left") return;
    this.#state = { type: "left", why };
    const faults: unknown[] = [];
    for (const held of this.#held.splice(0)) {
      try {
        held.end();
      } catch (error) {
        // The others are given back first.
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
  }

  /** Gives back the place as well. Idempotent. */
  gone(why?: CloseCode): void {
    try {
      this.leave(why);
    } finally {
      this.#services.connections.remove(this.#connection.id);
    }
  }
}

/** What a client is told over HTTP that was closed before its answer began. */
export function refusalOf(why: CloseCode | undefined): Refusal {
  if (why === CLOSE_CODES.forbidden) return "not_allowed";
  return why === CLOSE_CODES.unauthenticated ? "unauthenticated" : "over_capacity";
}

const LIMITS = { user: "too_many_connections", total: "over_capacity", draining: "going_away" } as const;

type AdmissionState =
  | { readonly type: "outside" }
  | { readonly type: "inside"; readonly userId: string }
  | { readonly type: "watching"; readonly userId: string }
  | { readonly type: "left"; readonly why: CloseCode | undefined };
