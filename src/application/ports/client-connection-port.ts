import type { PublishedEvent } from "./pub-sub-port.ts";

export type ConnectionId = string;

/**
 * One text for a client, with its type and position beside it, so that no transport has to read the text. An event is
 * the same object for everybody who watches its channel: what a transport makes of it can be made once for all.
 */
export type Frame = PublishedEvent | ControlFrame;

/** A frame of the protocol itself: it has no position. */
export interface ControlFrame {
  readonly text: string;
  readonly eventType: string;
}

/**
 * `sent`: handed to the socket. `blocked`: handed over as well, and queued there: send nothing more until the
 * adapter reports the drain. `gone`: the socket is closed, the frame went nowhere.
 */
export type SendOutcome = "sent" | "blocked" | "gone";

/**
 * One client's socket, as the protocol sees it. No method throws: a socket that failed answers `gone`, and its
 * close is reported once through the adapter's close handler.
 */
export interface ClientConnectionPort {
  readonly id: ConnectionId;
  /** Bytes that were handed over and that the socket has not taken yet. */
  readonly unsent: number;
  /** Sends one frame. Frames arrive in the order of the calls. */
  send(frame: Frame): SendOutcome;
  /** Runs `write` and hands what it sent to the operating system in one piece; the outcome is that of the whole. */
  batch(write: () => void): SendOutcome;
  /**
   * Whether the socket took some of what waits since this was last asked; true if nothing waits. A socket that is
   * blocked and takes nothing has a client that does not read.
   */
  tookSome(): boolean;
  /** Sends a ping frame, which browser code never sees. */
  ping(): void;
  /** Begins the closing handshake. Further sends answer `gone`. Calling it twice is harmless. */
  close(code: number, reason: string): void;
}
