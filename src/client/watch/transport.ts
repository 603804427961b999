import type { Environment } from "./environment.ts";
import type { Frame } from "./watched-events.ts";

/** `tabs`: over the connection of another tab, or of this one for all tabs. */
export type TransportName = "websocket" | "sse" | "poll" | "tabs";

/** A way to the gateway. */
export interface Transport {
  readonly name: TransportName;
  /** Left out if every runtime supports it. */
  readonly isSupported?: ((environment: Environment) => boolean) | undefined;
  /** Opens a connection, which reports to `owner`. May throw if none can be made. */
  open(request: ConnectionRequest, owner: ConnectionOwner): Connection;
}

export interface ConnectionRequest {
  /** `http(s):`, without a slash at its end. */
  readonly base: string;
  readonly token: string;
  readonly conflate: "none" | "status";
  readonly environment: Environment;
}

/** An analysis to be watched from `position` on; undefined: from its state. */
export interface Place {
  readonly analysisId: string;
  position: string | undefined;
}

/** Carries the frames of many analyses. It reports nothing after `close`. */
export interface Connection {
  /** Begins, or begins anew, at the position that the place has when the connection is open. */
  subscribe(place: Place): void;
  unsubscribe(place: Place): void;
  /** Asks the gateway for a sign of life. Answers whether this transport can. */
  ping(): boolean;
  /** Goes on with another token; undefined if only a new connection can. */
  readonly authenticate?: ((token: string) => void) | undefined;
  close(): void;
}

export interface ConnectionOwner {
  /** The connection is there. */
  opened(established: Frame): void;
  /** The gateway was heard. */
  heard(): void;
  /** A frame of one analysis, or for all of them. */
  took(frame: Frame): void;
  /** The connection is over. A code of a WebSocket, 1006 for a link that broke. */
  ended(code: number, reason: string): void;
}

/** Chooses the transport of the next connection. */
export interface TransportChoice {
  next(): Transport;
  /** A connection came about. */
  worked(transport: Transport, live: LiveConnection): void;
  /** No connection came about. */
  failed(): void;
  /** The network is another one: the best transport may get through now. */
  forget(): void;
}

/** A connection as long as it is open. */
export interface LiveConnection {
  readonly request: ConnectionRequest;
  /** Runs `task` after `milliseconds` if the connection is open then. */
  later(milliseconds: number, task: () => void): void;
  /** Runs `task` when the connection is over. */
  finally(task: () => void): void;
  /** Opens a new connection in place of this one. */
  renew(): void;
}

/** `base` is the address of the gateway: what got through to it once is remembered. */
export type ChooseTransport = (base: string, environment: Environment) => TransportChoice;
