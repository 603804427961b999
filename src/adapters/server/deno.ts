import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { MAX_FRAME_BYTES } from "../../session/client-frames.ts";
import { readUpgrade } from "../../session/upgrade-request.ts";
import { WebSocketSession } from "../../session/web-socket-session.ts";
import { DenoConnection } from "./deno-connection.ts";
import { type Listening, type ListenOptions, urlOf } from "./listening.ts";
import { answer, headOf } from "./node-http.ts";

type Upgrade = NonNullable<ReturnType<typeof readUpgrade>>;

/** The same as on Bun: a header comes within 12 s, and a quiet line stays for 10. The app bounds the time of a body. */
const SERVER_OPTIONS: ServerOptions = {
  requireHostHeader: false,
  maxHeaderSize: 64 * 1024,
  headersTimeout: 12_000,
  connectionsCheckingInterval: 1_000,
  requestTimeout: 0,
  keepAliveTimeout: 10_000,
};
/** The longest that a closing handshake may take, in ms, however slowly the client reads. The types lack the option. */
const CLOSING = { closeTimeout: 60_000 };
/** How long the last bytes may take when the gateway ends. */
const LAST_BYTES_MS = 500;
const WEB_SOCKET_KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Serves HTTP and WebSockets on Deno. Rejects if the address cannot be had. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { host, port, app } = options;
  const upgrades = new WeakMap<IncomingMessage, Upgrade>();
  const sockets = new Sockets(options);
  const pending = new Pending();
  const server = createServer(
    {
      ...SERVER_OPTIONS,
      shouldUpgradeCallback: (incoming) => {
        const upgrade = upgradeOf(incoming, options);
        if (upgrade !== undefined) upgrades.set(incoming, upgrade);
        return upgrade !== undefined;
      },
    },
    (incoming, outgoing) => {
      pending.add();
      outgoing.once("close", () => pending.remove());
      void answer(app, incoming, outgoing);
    },
  );
  server.maxHeadersCount = 0;
  server.on("upgrade", (incoming, socket, head) => {
    const upgrade = upgrades.get(incoming);
    if (upgrade === undefined) socket.destroy();
    else sockets.open(upgrade, incoming, socket as Socket, head);
  });
  server.on("clientError", refuseHeader);
  const bound = await bind(server, host, port);
  return {
    port: bound,
    url: urlOf(host, bound),
    stopAccepting: () => void server.close(),
    answered: () => pending.none(),
    stop: async () => {
      server.close();
      await sockets.stop();
      server.closeAllConnections();
    },
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Undefined if the request asks for no WebSocket that can be had: then it is answered like any other. */
function upgradeOf(incoming: IncomingMessage, { policy }: ListenOptions): Upgrade | undefined {
  const { "sec-websocket-key": key = "", "sec-websocket-version": version } = incoming.headers;
  if (incoming.method !== "GET" || version !== "13" || !WEB_SOCKET_KEY.test(key)) return undefined;
  const head = headOf(incoming);
  return head instanceof Response ? undefined : readUpgrade(new Request(head.url, head), policy);
}

/** Answers a header that cannot be read or is too long. The client may still be sending it. */
function refuseHeader({ code }: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status = code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  socket.on("data", () => {});
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  setTimeout(() => socket.destroy(), LAST_BYTES_MS);
}

/** The WebSockets of a server, each with its session. */
class Sockets {
  readonly #services: ListenOptions["services"];
  readonly #handshakes: WebSocketServer;
  readonly #protocols = new WeakMap<IncomingMessage, string>();
  readonly #open = new Set<Socket>();

  constructor({ services }: ListenOptions) {
    this.#services = services;
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

  open(upgrade: Upgrade, incoming: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    // The session has read it. `ws` would refuse some forms that Bun accepts, and name the first protocol offered.
    delete incoming.headers["sec-websocket-protocol"];
    if (upgrade.protocol !== undefined) this.#protocols.set(incoming, upgrade.protocol);
    this.#handshakes.handleUpgrade(incoming, socket, head, (webSocket) =>
      this.#serve(webSocket, socket, upgrade),
    );
  }

  #serve(webSocket: WebSocket, socket: Socket, { intent }: Upgrade): void {
    const handlers = { drained: () => session.drained(), closed: () => session.closed() };
    const connection = new DenoConnection(webSocket, socket, handlers);
    const session = new WebSocketSession(connection, intent, this.#services);
    webSocket.on("message", (data: Buffer, isBinary) => session.received(isBinary ? data : data.toString()));
    webSocket.on("ping", (data) => {
      webSocket.pong(data);
      session.pinged(data.length);
    });
    webSocket.on("pong", () => session.ponged());
    // A violation of the protocol: `ws` closes with the code for it, and the close follows.
    webSocket.on("error", () => connection.cutIfStalled());
    void session.opened();
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

/** Counts the requests that wait for their answer. */
class Pending {
  #count = 0;
  #waiting: (() => void)[] = [];

  add(): void {
    this.#count++;
  }

  remove(): void {
    if (--this.#count > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when none waits. */
  async none(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
