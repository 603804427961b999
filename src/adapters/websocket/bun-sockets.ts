import type { ServerWebSocket, WebSocketHandler } from "bun";
import type { ClientConnectionPort, SendOutcome } from "../../application/ports/client-connection-port.ts";
import type { SessionServices } from "../session-services.ts";
import { MAX_FRAME_BYTES } from "./client-frames.ts";
import { type WatchIntent, WatchSession } from "./watch-session.ts";

/** What an upgraded socket carries: the intent of its request until it is open, then its session. */
export type SocketData = WatchIntent | WatchSession;

/** Bun drops silently what would exceed this; sessions stop at the first queued event, so it is never reached. */
const BACKPRESSURE_LIMIT_BYTES = 64 * 1024 * 1024;

/** Bun's WebSocket callbacks on top of the session, which knows the protocol and no socket. */
export function bunSocketHandler(services: SessionServices): WebSocketHandler<SocketData> {
  return {
    maxPayloadLength: MAX_FRAME_BYTES,
    backpressureLimit: BACKPRESSURE_LIMIT_BYTES,
    closeOnBackpressureLimit: false,
    // Both would be re-armed by what we send, so a dead peer on a busy channel stayed: the gateway pings by itself.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(socket) {
      if (socket.data instanceof WatchSession) return;
      const session = new WatchSession(new BunConnection(socket), socket.data, services);
      socket.data = session;
      void session.opened();
    },
    message: (socket, data) => guarded(socket, (session) => session.received(data)),
    drain: (socket) => guarded(socket, (session) => session.drained()),
    ping: (socket) => guarded(socket, (session) => session.signOfLife()),
    pong: (socket) => guarded(socket, (session) => session.signOfLife()),
    close: (socket) => {
      if (socket.data instanceof WatchSession) socket.data.closed();
    },
  };
}

/** A fault in one session ends that session and no other. */
function guarded(socket: ServerWebSocket<SocketData>, run: (session: WatchSession) => void): void {
  const session = socket.data;
  if (!(session instanceof WatchSession)) return;
  try {
    run(session);
  } catch (error) {
    session.failed(error);
  }
}

const OPEN = 1;

class BunConnection implements ClientConnectionPort {
  readonly id = crypto.randomUUID();
  readonly #socket: ServerWebSocket<SocketData>;

  constructor(socket: ServerWebSocket<SocketData>) {
    this.#socket = socket;
  }

  send(frame: string): SendOutcome {
    if (this.#socket.readyState !== OPEN) return "gone";
    const outcome = this.#socket.send(frame);
    if (outcome > 0) return "sent";
    if (outcome === -1) return "blocked";
    // Dropped without a word, the socket left open: a client that missed a frame must not go on as if it had not.
    this.#socket.terminate();
    return "gone";
  }

  batch(write: () => void): SendOutcome {
    if (this.#socket.readyState !== OPEN) return "gone";
    this.#socket.cork(write);
    if (this.#socket.readyState !== OPEN) return "gone";
    return this.#socket.getBufferedAmount() > 0 ? "blocked" : "sent";
  }

  ping(): void {
    if (this.#socket.readyState === OPEN) this.#socket.ping();
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.close(code, reason);
  }
}
