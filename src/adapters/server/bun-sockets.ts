import type { ServerWebSocket, WebSocketHandler } from "bun";
import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../../application/ports/client-connection-port.ts";
import { MAX_FRAME_BYTES } from "../../session/client-frames.ts";
import type { SessionServices } from "../../session/session-services.ts";
import { type WatchIntent, WatchSession } from "../../session/watch-session.ts";

/** What an upgraded socket carries: the intent of its request until it is open, then its session. */
export type SocketData = WatchIntent | WatchSession;

/**
 * Bun drops silently what comes while more than this waits. A session stops at the first queued event, so what waits
 * is one batch (an event of 1 MiB at most and what went before it), answers and pongs: this is never reached by a
 * client that reads, nor by one event however large.
 */
const BACKPRESSURE_LIMIT_BYTES = 4 * 1024 * 1024;
/** A socket that was closed while its client reads nothing is held by the system until Bun gives it up. */
const GIVEN_UP_AFTER_MS = 10_000;
const LONGEST_IDLE_SECONDS = 960;

/** Bun's WebSocket callbacks on top of the session, which knows the protocol and no socket. */
export function bunSocketHandler(services: SessionServices): WebSocketHandler<SocketData> {
  return {
    maxPayloadLength: MAX_FRAME_BYTES,
    backpressureLimit: BACKPRESSURE_LIMIT_BYTES,
    closeOnBackpressureLimit: false,
    // Both are re-armed by what we send, so a dead peer on a busy channel stayed: the gateway pings and ends by itself.
    // This is for what comes after that: a peer that reads nothing never reads the close frame either.
    idleTimeout: idleSeconds(services.settings),
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
    ping: (socket, data) => guarded(socket, (session) => session.pinged(data.length)),
    pong: (socket) => guarded(socket, (session) => session.ponged()),
    close: (socket) => {
      if (socket.data instanceof WatchSession) socket.data.closed();
    },
  };
}

/** Longer than any silence that the gateway allows; 0, never, if Bun cannot wait so long. */
function idleSeconds({ heartbeatTimeoutMs }: SessionServices["settings"]): number {
  const seconds = Math.ceil((heartbeatTimeoutMs + GIVEN_UP_AFTER_MS) / 1000);
  return seconds > LONGEST_IDLE_SECONDS ? 0 : seconds;
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
  /** What waited when that was last looked at, or something was added to it, in bytes. */
  #waited = 0;

  constructor(socket: ServerWebSocket<SocketData>) {
    this.#socket = socket;
  }

  get unsent(): number {
    return this.#socket.getBufferedAmount();
  }

  send(frame: Frame): SendOutcome {
    if (this.#socket.readyState !== OPEN) return "gone";
    const outcome = this.#socket.send(frame.text);
    if (outcome > 0) return "sent";
    if (outcome === -1) return this.#blocked();
    // Dropped without a word, the socket left open: a client that missed a frame must not go on as if it had not.
    this.#socket.terminate();
    return "gone";
  }

  batch(write: () => void): SendOutcome {
    if (this.#socket.readyState !== OPEN) return "gone";
    this.#socket.cork(write);
    if (this.#socket.readyState !== OPEN) return "gone";
    return this.unsent > 0 ? this.#blocked() : "sent";
  }

  tookSome(): boolean {
    const { unsent } = this;
    const took = unsent === 0 || unsent < this.#waited;
    this.#waited = unsent;
    return took;
  }

  ping(): void {
    if (this.#socket.readyState === OPEN) this.#socket.ping();
  }

  #blocked(): "blocked" {
    this.#waited = this.unsent;
    return "blocked";
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.close(code, reason);
  }
}
