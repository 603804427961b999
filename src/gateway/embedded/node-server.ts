import type { IncomingMessage, RequestListener, Server } from "node:http";
import type { Socket } from "node:net";
import { answer } from "../../adapters/server/node-http.ts";
import { NodeSockets, socketRequest } from "../../adapters/server/node-sockets.ts";
import type { Telltale } from "./create-telltale.ts";

/** An application that answers requests, as one on hono does. `env` has what Telltale needs to know of the request. */
interface Application {
  fetch(request: Request, env?: unknown): Response | Promise<Response>;
}

/** Answers the requests of a server of `node:http` by the application: `createServer(answerBy(app))`. */
export function answerBy(app: Application): RequestListener {
  return (incoming, outgoing) => void answer(app, incoming, outgoing);
}

/**
 * Gives the WebSockets of a server of `node:http` to Telltale. Other upgrades are left to the other listeners of the
 * server; they are 404 if it has none.
 */
export function serveSockets(server: Server, telltale: Pick<Telltale, "accept">): void {
  const sockets = new NodeSockets();
  server.on("upgrade", (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    const request = socketRequest(incoming);
    const accepted = request && telltale.accept(request);
    if (accepted !== undefined) sockets.open(accepted, incoming, socket, head);
    else if (server.listenerCount("upgrade") === 1)
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
}
