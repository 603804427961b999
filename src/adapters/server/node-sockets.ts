import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { AcceptedSocket } from "../../session/accepted-socket.ts";
import { MAX_FRAME_BYTES } from "../../session/client-frames.ts";
import { DenoConnection } from "./deno-connection.ts";
import { headOf } from "./node-http.ts";

/** The longest that a closing handshake may take, in ms, however slowly the client reads. The types lack the option. */
const CLOSING = { closeTimeout: 60_000 };
/** How long the last bytes may take when the gateway ends. */
export const LAST_BYTES_MS = 500;
const WEB_SOCKET_KEY = /^[+/0-9A-Za-z]{22}==$/;

/** The request of an upgrade; undefined if it asks for no WebSocket that can be had. */
export function socketRequest(incoming: IncomingMessage): Request | undefined {
  const { "sec-websocket-key": key = "", "sec-websocket-version": version } = incoming.headers;
  if (incoming.method !== "GET" || version !== "13" || !WEB_SOCKET_KEY.test(key)) return undefined;
  const head = headOf(incoming);
  return head instanceof Response ? undefined : new Request(head.url, head);
}

/** The WebSockets of a server of `node:http`, each with its session. */
export class NodeSockets {
  readonly #handshakes: WebSocketServer;
  readonly #protocols = new WeakMap<IncomingMessage, string>();
  readonly #open = new Set<Socket>();
  readonly #emptied: (() => void)[] = [];

  constructor() {
    this.#handshakes = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      autoPong: false,
      ...CLOSING,
    });
    this.#handshakes.on("headers", (headers, incoming) => {
      const protocol = this.#protocols.get(incoming);
      if (protocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
    });
  }

  open(accepted: AcceptedSocket, incoming: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#open.add(socket);
    socket.once("close", () => this.#closed(socket));
    // The session has read it. `ws` would refuse some forms that Bun accepts, and name the first protocol offered.
    delete incoming.headers["sec-websocket-protocol"];
    if (accepted.protocol !== undefined) this.#protocols.set(incoming, accepted.protocol);
    this.#handshakes.handleUpgrade(incoming, socket, head, (webSocket) =>
      this.#serve(webSocket, socket, accepted),
    );
  }

  #serve(webSocket: WebSocket, socket: Socket, accepted: AcceptedSocket): void {
    const handlers = { drained: () => session.drained(), closed: () => session.closed() };
    const connection = new DenoConnection(webSocket, socket, handlers);
    const session = accepted.open(connection);
    webSocket.on("message", (data: Buffer, isBinary) => session.received(isBinary ? data : data.toString()));
    webSocket.on("ping", (data) => {
      webSocket.pong(data);
      session.pinged(data.length);
    });
    webSocket.on("pong", () => session.ponged());
    // A violation of the protocol: `ws` closes with the code for it, and the close follows.
    webSocket.on("error", () => connection.cutIfStalled());
  }

  #closed(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#open.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }

  /** Resolves when no socket is open. */
  async none(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve));
  }

  /** Resolves when every socket is closed. One that does not take its last bytes is cut. */
  async stop(): Promise<void> {
    const closed = [...this.#open].map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once("close", () => resolve());
          socket.destroySoon();
        }),
    );
    const cut = setTimeout(() => {
      for (const socket of this.#open) socket.destroy();
    }, LAST_BYTES_MS);
    await Promise.all(closed);
    clearTimeout(cut);
  }
}
