export type ConnectionId = string;

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
  /** Sends one text frame. Frames arrive in the order of the calls. */
  send(frame: string): SendOutcome;
  /** Runs `write` and hands what it sent to the operating system in one piece; the outcome is that of the whole. */
  batch(write: () => void): SendOutcome;
  /** Sends a ping frame, which browser code never sees. */
  ping(): void;
  /** Begins the closing handshake. Further sends answer `gone`. Calling it twice is harmless. */
  close(code: number, reason: string): void;
}
