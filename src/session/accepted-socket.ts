import type { ClientConnectionPort } from "../application/ports/client-connection-port.ts";
import type { OriginPolicy } from "./origin-policy.ts";
import type { SessionServices } from "./session-services.ts";
import { type Embedding, readUpgrade } from "./upgrade-request.ts";
import { WebSocketSession } from "./web-socket-session.ts";

/** A request for a WebSocket that the gateway takes. The server completes it and calls `open` once the socket is open. */
export interface AcceptedSocket {
  /** The subprotocol to accept, never a token that a client offers as one; undefined: accept none. */
  readonly protocol: "telltale.v1" | undefined;
  /** Begins the session of the open socket. To be called once. */
  open(connection: ClientConnectionPort): WebSocketSession;
}

/** Reads a request for a WebSocket. Undefined if the request asks for none, or for another path. */
export function acceptSocket(
  request: Request,
  policy: OriginPolicy,
  services: SessionServices,
  embedding?: Embedding,
): AcceptedSocket | undefined {
  const upgrade = readUpgrade(request, policy, embedding);
  if (upgrade === undefined) return undefined;
  return {
    protocol: upgrade.protocol,
    open(connection) {
      const session = new WebSocketSession(connection, upgrade.intent, services);
      void session.opened();
      return session;
    },
  };
}
