import type { Server } from "bun";
import { ReadVisit } from "./read-visit.ts";
import { SocketVisit } from "./socket-visit.ts";
import { type PendingRequest, StreamVisit } from "./stream-visit.ts";
import { StreamedReads } from "./streamed-reads.ts";
import { ClientFault, type Visit } from "./visit.ts";

export interface GatewayOwner {
  readonly analysisId: string;
  /** The client asks for the analysis. */
  arrived(visit: Visit): void;
  /** The client asks for the end of the analysis, with this reason. */
  cancelAsked(reason: unknown): Response;
  fault(fault: ClientFault): void;
}

/** A gateway on a port of its own, which asks its owner how to answer. */
export interface ScriptedGateway {
  readonly url: string;
  stop(): void;
}

const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*, Authorization, Content-Type, Last-Event-ID",
};

export function startGateway(owner: GatewayOwner): ScriptedGateway {
  const { analysisId } = owner;
  let reads: ReadVisit | StreamedReads | undefined;

  const read = (request: PendingRequest, make: () => ReadVisit | StreamedReads) => {
    if (reads?.isGoingOn) return reads.take(request);
    reads = make();
    owner.arrived(reads);
  };

  const socket = (request: Request, pending: PendingRequest, server: Server<SocketVisit>) => {
    const visit = new SocketVisit({
      ...pending,
      again: owner.arrived,
      fault: owner.fault,
      upgrade(data) {
        const headers = { "Sec-WebSocket-Protocol": "telltale.v1" };
        if (server.upgrade(request, { data, headers })) pending.answer(new Response());
      },
    });
    owner.arrived(visit);
  };

  const route = (request: Request, pending: PendingRequest, server: Server<SocketVisit>) => {
    const { pathname } = pending.url;
    if (pathname === "/ws" || pathname === `/ws/analysis/${analysisId}`)
      return socket(request, pending, server);
    const isStream = request.headers.get("Accept")?.includes("text/event-stream");
    const analysis = `/v1/analyses/${analysisId}`;
    if (pathname === "/v1/events" && pending.url.searchParams.has("wait"))
      return read(pending, () => new StreamedReads(pending));
    if (pathname === "/v1/events" || (pathname === `${analysis}/events` && isStream))
      return owner.arrived(new StreamVisit(pending, owner.arrived));
    if (pathname === analysis || pathname === `${analysis}/events`)
      return read(pending, () => new ReadVisit(pending));
    throw new ClientFault(`it asks for ${request.method} ${pathname}`);
  };

  const server = Bun.serve<SocketVisit>({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    // A link that the script cut is no error.
    error: () => new Response(null, { status: 500 }),
    async fetch(request, server) {
      const url = new URL(request.url);
      if (request.method === "OPTIONS") return new Response(null, { headers: CORS });
      if (request.method === "POST" && url.pathname.endsWith("/cancel"))
        return withCors(owner.cancelAsked(((await request.json()) as { readonly reason?: unknown }).reason));
      return new Promise<Response>((resolve) => {
        try {
          route(request, pendingRequest(request, url, analysisId, resolve), server);
        } catch (fault) {
          if (!(fault instanceof ClientFault)) throw fault;
          owner.fault(fault);
          resolve(new Response(fault.message, { status: 404 }));
        }
      });
    },
    websocket: {
      idleTimeout: 0,
      open: (socket) => socket.data.socketOpened(socket),
      message: (socket, text) => socket.data.socketSent(text),
      close: (socket) => socket.data.socketClosed(),
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => void server.stop(true) };
}

function pendingRequest(
  request: Request,
  url: URL,
  analysisId: string,
  resolve: (response: Response) => void,
): PendingRequest {
  const { headers, signal } = request;
  return {
    url,
    headers,
    analysisId,
    token: tokenIn(url, headers),
    get isAborted() {
      return signal.aborted;
    },
    answer: (response) => resolve(withCors(response)),
  };
}

/** The token, wherever the client may have put it. */
function tokenIn(url: URL, headers: Headers): string {
  const offered = headers.get("Sec-WebSocket-Protocol") ?? "";
  return (
    url.searchParams.get("token") ??
    /^Bearer (.+)$/i.exec(headers.get("Authorization") ?? "")?.[1] ??
    /\bbearer\.([^,\s]+)/.exec(offered)?.[1] ??
    ""
  );
}

function withCors(response: Response): Response {
  for (const [name, value] of Object.entries(CORS)) response.headers.set(name, value);
  return response;
}
