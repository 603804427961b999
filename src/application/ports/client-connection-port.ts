import type { EventPosition } from "../../domain/event-position.ts";
import type { PublishedEvent } from "./pub-sub-port.ts";

export type ConnectionId = string;

/**
 * One message to a client: `text`, `kind` and `position`.
 * - An adapter writes `text` whole and unchanged.
 * - `kind` and `position` say everything else that a transport needs, so no adapter reads `text`.
 * - Every watcher of a channel is sent the same object for the same event, so an adapter may encode it once for all.
 */
export type Frame = PublishedEvent | StateFrame | ControlFrame;

/** The folded state of an analysis, which takes the place of a replay. A client may resume from its position. */
export interface StateFrame {
  readonly text: string;
  readonly kind: "analysis_state";
  /** All events up to there are folded in. */
  readonly position: EventPosition;
  /** Whether a terminal event is current. */
  readonly hasEnded: boolean;
}

/** A message of the protocol itself. */
export interface ControlFrame {
  /** JSON, apart from the bare `pong`. */
  readonly text: string;
  /** The `event_type` that the text bears. */
  readonly kind: ControlKind;
  /** A client resumes from events and states only. */
  readonly position?: undefined;
}

export type ControlKind =
  | "connection_established"
  | "heartbeat"
  | "caught_up"
  | "authenticated"
  | "subscribed"
  | "unsubscribed"
  | "subscription_refused"
  | "cancel_requested"
  | "state_changed"
  | "protocol_error"
  | "pong";

/**
 * `sent`: the socket took the frame. `blocked`: the socket queued the frame; the caller sends nothing more until the
 * adapter reports the drain. `gone`: the socket is closed, and the frame went nowhere.
 */
export type SendOutcome = "sent" | "blocked" | "gone";

/**
 * One client's connection, as the session sees it. No method throws: a socket that failed answers `gone`, and the adapter
 * reports its close once.
 */
export interface ClientConnectionPort {
  readonly id: ConnectionId;
  /** The bytes that the socket has not taken yet of everything sent. */
  readonly unsent: number;
  /** Sends one frame. Frames arrive in the order of the calls. Sending an event costs no encoding for each watcher. */
  send(frame: Frame): SendOutcome;
  /** Runs `write` and hands its frames to the operating system in one piece; the outcome is that of the whole. */
  batch(write: () => void): SendOutcome;
  /**
   * Whether the socket took some of the waiting bytes since the last call; true if nothing waits. The client of a blocked
   * socket that takes nothing does not read.
   */
  tookSome(): boolean;
  /** Sends a ping frame or a comment, which browser code never sees. */
  ping(): void;
  /** Begins the closing handshake. Further sends answer `gone`. Calling it twice is harmless. */
  close(code: number, reason: string): void;
}
