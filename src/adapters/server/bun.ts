import { setTimeout as pause } from "node:timers/promises";
import type { Server } from "bun";
import type { Hono } from "hono";
import { addressed } from "../../session/addressed-request.ts";
import type { OriginPolicy } from "../../session/origin-policy.ts";
import type { SessionServices } from "../../session/session-services.ts";
import { readUpgrade } from "../../session/upgrade-request.ts";
import { bunSocketHandler, type SocketData } from "./bun-sockets.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly app: Pick<Hono, "fetch">;
  readonly services: SessionServices;
  readonly policy: OriginPolicy;
}

export interface Listening {
  readonly port: number;
  readonly url: string;
  /** No new connections from here on; those that are open stay. */
  stopAccepting(): void;
  /** Resolves when no request waits for its answer. */
  answered(): Promise<void>;
  /** Ends everything that is still open. */
  stop(): Promise<void>;
}

/** Above whatever anybody sends: each route refuses what is too long by itself, with a problem, and reads none of it. */
const MAX_REQUEST_BYTES = Number.MAX_SAFE_INTEGER;

const LONGEST_ANSWER_SECONDS = 90;
/** How long a client that is to go may take nothing of what waits for it. */
const CUT_AFTER_SECONDS = 5;
const LOOK_AGAIN_MS = 10;

/** Serves HTTP and WebSockets on Bun. Throws when the address cannot be had. */
export function listen(options: ListenOptions): Listening {
  const { host, port, app, services, policy } = options;
  const server: Server<SocketData> = Bun.serve({
    hostname: host,
    port,
    development: false,
    // Outside its development mode Bun shares a port with whoever else asks for it, and each gets half of the clients.
    reusePort: false,
    maxRequestBodySize: MAX_REQUEST_BYTES,
    websocket: bunSocketHandler(services),
    fetch(received, server) {
      const request = addressed(received);
      const upgrade = readUpgrade(request, policy);
      if (upgrade !== undefined) {
        const { intent, headers } = upgrade;
        if (server.upgrade(received, { data: intent, headers })) return undefined;
      }
      // Bun would cut a request that waits for an event after ten quiet seconds.
      server.timeout(received, LONGEST_ANSWER_SECONDS);
      return app.fetch(request, { cut: () => server.timeout(received, CUT_AFTER_SECONDS) });
    },
  });
  return {
    port: server.port ?? port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    stopAccepting: () => void server.stop(false),
    answered: async () => {
      // Bun tells nobody when the last answer is out.
      while (server.pendingRequests > 0) await pause(LOOK_AGAIN_MS);
    },
    stop: () => server.stop(true),
  };
}
