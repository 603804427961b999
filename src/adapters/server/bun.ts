import { setTimeout as pause } from "node:timers/promises";
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../../application/ports/client-connection-port.ts";
import { MAX_FRAME_BYTES } from "../../session/client-frames.ts";
import type { PresentedToken } from "../../session/presented-token.ts";
import type { SessionServices } from "../../session/session-services.ts";
import { readUpgrade } from "../../session/upgrade-request.ts";
import { type WatchIntent, WebSocketSession } from "../../session/web-socket-session.ts";
import {
  CUT_AFTER_SECONDS,
  type Listening,
  type ListenOptions,
  LONGEST_ANSWER_SECONDS,
  NO_HOST,
  urlOf,
} from "./listening.ts";

/** The data of an upgraded socket: the intent of its request until the socket is open, then its session. */
export type SocketData = WatchIntent | WebSocketSession;

/** More than anybody sends: each route refuses a body that is too long by itself, with a problem, and reads none of it. */
const MAX_REQUEST_BYTES = Number.MAX_SAFE_INTEGER;
const LOOK_AGAIN_MS = 10;
/**
 * Bun silently drops a frame that comes while more than this waits. The session stops at the first queued event, so at
 * most one batch waits (an event of 1 MiB and the events before it), with answers and pongs. A client that reads never
 * reaches the limit, nor does one event, however large.
 */
const BACKPRESSURE_LIMIT_BYTES = 4 * 1024 * 1024;
/** The system keeps a closed socket whose client reads nothing until Bun gives it up. */
const GIVEN_UP_AFTER_MS = 10_000;
const LONGEST_IDLE_SECONDS = 960;
const OPEN = 1;

/** Serves HTTP and WebSockets on Bun. Throws if the address cannot be had. */
export function listen(options: ListenOptions): Listening {
  const { host, port, app, services, policy, basePath = "" } = options;
  const server: Server<SocketData> = Bun.serve({
    hostname: host,
    port,
    development: false,
    // Outside its development mode Bun shares a port with every process that asks for it, and each gets half of the clients.
    reusePort: false,
    maxRequestBodySize: MAX_REQUEST_BYTES,
    websocket: bunSocketHandler(services),
    fetch: (received, server) => answerOnBun(received, server, { app, policy, basePath }),
  });
  const bound = server.port ?? port;
  return {
    port: bound,
    url: urlOf(host, bound),
    stopAccepting: () => void server.stop(false),
    answered: async () => {
      // Bun does not report that the last answer is out.
      while (server.pendingRequests > 0 || server.pendingWebSockets > 0) await pause(LOOK_AGAIN_MS);
    },
    stop: () => server.stop(true),
  };
}

interface Answering extends Pick<ListenOptions, "app" | "policy" | "basePath"> {
  /** The path before every path of the gateway, as `/telltale`; none if left out. */
  readonly path?: string;
  /** The client of a request, if the application that embeds the gateway says who it is. */
  readonly presented?: ((request: Request) => PresentedToken) | undefined;
}

/** The parts of Bun's server that a request needs. */
export type BunServer = Pick<Server<SocketData>, "upgrade" | "timeout">;

/** Answers a request on a server whose WebSocket handler is `bunSocketHandler`. Undefined if it became a WebSocket. */
export function answerOnBun(
  received: Request,
  server: BunServer,
  { app, policy, path = "", basePath = "", presented: presentedBy }: Answering,
): Response | Promise<Response> | undefined {
  const request = withWholeUrl(received);
  const presented = presentedBy?.(request);
  const upgrade = readUpgrade(request, policy, { path, basePath, presented });
  if (upgrade !== undefined) {
    // Bun echoes the first protocol offered, a token included, if the upgrade says nothing; an empty value sends none.
    const headers = { "Sec-WebSocket-Protocol": upgrade.protocol ?? "" };
    if (server.upgrade(received, { data: upgrade.intent, headers })) return undefined;
  }
  // Bun would cut a request that waits for an event after ten quiet seconds.
  server.timeout(received, LONGEST_ANSWER_SECONDS);
  return app.fetch(request, { presented, cut: () => server.timeout(received, CUT_AFTER_SECONDS) });
}

/**
 * The request with a whole URL. If the Host header is missing, is empty or names no host, Bun's URL is the bare target,
 * such as `/ready`: a parser would take its first segment for the host.
 */
function withWholeUrl(request: Request): Request {
  const { url } = request;
  return url.startsWith("/") ? new Request(new URL(NO_HOST + url), request) : request;
}

/** Passes Bun's WebSocket callbacks to the session of each socket. */
export function bunSocketHandler(services: SessionServices): WebSocketHandler<SocketData> {
  return {
    maxPayloadLength: MAX_FRAME_BYTES,
    backpressureLimit: BACKPRESSURE_LIMIT_BYTES,
    closeOnBackpressureLimit: false,
    // Bun re-arms both whenever the gateway sends, so a dead peer on a busy channel would stay: the session pings and ends
    // it. The idle timeout is for a peer that reads nothing, the close frame of the session included.
    idleTimeout: idleSeconds(services.settings),
    sendPings: false,
    perMessageDeflate: false,
    open(socket) {
      if (socket.data instanceof WebSocketSession) return;
      socket.data = new WebSocketSession(new BunConnection(socket), socket.data, services);
      void socket.data.opened();
    },
    message: (socket, data) => sessionOf(socket)?.received(data),
    drain: (socket) => sessionOf(socket)?.drained(),
    ping: (socket, data) => sessionOf(socket)?.pinged(data.length),
    pong: (socket) => sessionOf(socket)?.ponged(),
    close: (socket) => sessionOf(socket)?.closed(),
  };
}

function sessionOf({ data }: ServerWebSocket<SocketData>): WebSocketSession | undefined {
  return data instanceof WebSocketSession ? data : undefined;
}

/** Longer than any silence that the session allows; 0, never, if Bun cannot wait so long. */
function idleSeconds({ heartbeatTimeoutMs }: SessionServices["settings"]): number {
  const seconds = Math.ceil((heartbeatTimeoutMs + GIVEN_UP_AFTER_MS) / 1000);
  return seconds > LONGEST_IDLE_SECONDS ? 0 : seconds;
}

class BunConnection implements ClientConnectionPort {
  readonly id = crypto.randomUUID();
  readonly #socket: ServerWebSocket<SocketData>;
  /** The bytes that waited when the session last asked, or when a frame was added to them. */
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
    // Bun dropped the frame silently and left the socket open. Without the end its client would never know.
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

  close(code: number, reason: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.close(code, reason);
  }

  #blocked(): "blocked" {
    this.#waited = this.unsent;
    return "blocked";
  }
}
