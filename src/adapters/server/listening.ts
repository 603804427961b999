import type { Hono } from "hono";
import type { OriginPolicy } from "../../session/origin-policy.ts";
import type { SessionServices } from "../../session/session-services.ts";

/** A server that listens, whatever the runtime below it. */
export interface Listening {
  readonly port: number;
  readonly url: string;
  /** Accepts no new connection from here on; open ones stay. */
  stopAccepting(): void;
  /** Resolves when no request waits for its answer and no WebSocket is open, one that is refused included. */
  answered(): Promise<void>;
  /** Ends everything that is still open. */
  stop(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Answers everything but upgrades. The second argument of `fetch` has the actions of `RequestBindings`. */
  readonly app: Pick<Hono, "fetch">;
  readonly services: SessionServices;
  readonly policy: OriginPolicy;
  /** The gateway answers below this path as well, as `/telltale`; none if it is empty or left out. */
  readonly basePath?: string;
}

/** The authority of a request that names none; nobody ever asks it for anything. */
export const NO_HOST = "http://host.invalid";

/** How long a client that is to go may take nothing of the bytes that wait for it. */
export const CUT_AFTER_SECONDS = 5;

/** How long an answer may be quiet. A long poll waits 60 s at most, and a stream has its comments. */
export const LONGEST_ANSWER_SECONDS = 90;

/** The address of a server on this port; `host` may be an IPv6 address. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
