import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type AcceptedSocket, acceptSocket } from "../../session/accepted-socket.ts";
import { type Listening, type ListenOptions, urlOf } from "./listening.ts";
import { answer } from "./node-http.ts";
import { LAST_BYTES_MS, NodeSockets, socketRequest } from "./node-sockets.ts";

/** The same as on Bun: a header comes within 12 s, and a quiet line stays for 10. The app bounds the time of a body. */
const SERVER_OPTIONS: ServerOptions = {
  requireHostHeader: false,
  maxHeaderSize: 16 * 1024,
  headersTimeout: 12_000,
  connectionsCheckingInterval: 1_000,
  requestTimeout: 0,
  keepAliveTimeout: 10_000,
};
/** Serves HTTP and WebSockets on Deno. Rejects if the address cannot be had. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { host, port, app, policy, services, basePath = "" } = options;
  const upgrades = new WeakMap<IncomingMessage, AcceptedSocket>();
  const sockets = new NodeSockets();
  const pending = new Pending();
  const server = createServer(
    {
      ...SERVER_OPTIONS,
      shouldUpgradeCallback: (incoming) => {
        const request = socketRequest(incoming);
        const upgrade =
          request && acceptSocket(request, policy, services, { path: "", basePath, presented: undefined });
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
    answered: async () => {
      await Promise.all([pending.none(), sockets.none()]);
    },
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
