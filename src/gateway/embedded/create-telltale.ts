import type { WebSocketHandler } from "bun";
import { answerOnBun, type BunServer, bunSocketHandler, type SocketData } from "../../adapters/server/bun.ts";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import { ClaimsAndViewers } from "../../application/access-policy.ts";
import { TokenRejected } from "../../application/errors.ts";
import type { BrokerPorts } from "../../application/ports/broker-ports.ts";
import type { ClientConnectionPort } from "../../application/ports/client-connection-port.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { PublishableEvent } from "../../client/publishable.ts";
import { readUpgrade } from "../../session/upgrade-request.ts";
import { WebSocketSession } from "../../session/web-socket-session.ts";
import { openBroker } from "../brokers.ts";
import type { Config } from "../config/config.ts";
import { startCore } from "../core.ts";
import { InProcessPublisher, type PublishedInProcess, type PublishOptions } from "./in-process-publisher.ts";
import { askedOf } from "./own-authentication.ts";
import { readOptions, type TelltaleOptions } from "./telltale-options.ts";
import { UnderWay } from "./under-way.ts";

/** A gateway inside an application, on the application's own server. Several in one process know nothing of each other. */
export interface Telltale {
  /**
   * Answers a request below the path. `server` is the server of Bun, if there is one: a request for a WebSocket is then
   * upgraded, provided that `websocket` is the handler of that server. Never rejects.
   */
  fetch(request: Request, server?: unknown): Promise<Response>;
  /** The WebSocket handler for a server of Bun. It serves no sockets but Telltale's. */
  readonly websocket: WebSocketHandler<SocketData>;
  /**
   * The way to WebSockets on any other server. Undefined if the request asks for none below the path. The application
   * accepts the socket with `protocol`, which may be undefined, and calls `open` once the socket is open.
   */
  accept(request: Request): AcceptedSocket | undefined;
  /**
   * Publishes an event of an analysis, or up to 500 at once: all of them or none. Resolves once the broker has them. The
   * rules are those of `POST /v1/analyses/{id}/events`, and nobody is asked for a right. Rejects with `PublishRefused` if
   * the events break a rule, and with `BrokerUnavailable` or `OutcomeUnknown` as `telltale/ports` says.
   */
  publish(
    analysisId: string,
    events: PublishableEvent | readonly PublishableEvent[],
    options?: PublishOptions,
  ): Promise<PublishedInProcess>;
  /** Declares who may watch an analysis: these users, or everybody who is signed in. Rejects as `publish` does. */
  declareViewers(analysisId: string, viewers: "*" | readonly string[]): Promise<void>;
  /**
   * Ends: finishes the requests that are under way, closes the connections with 1001 within DRAIN_SECONDS, then closes
   * the broker. Resolves when that is done. A later request is 503, and a later `publish` rejects.
   */
  drain(): Promise<void>;
  /** As `drain`, and waits for no request and no client. */
  close(): Promise<void>;
}

export interface AcceptedSocket {
  /** The subprotocol to accept, never a token that a client offers as one. */
  readonly protocol: "telltale.v1" | undefined;
  /** Begins the session of the open socket. The application passes the callbacks of the socket to it. */
  open(connection: ClientConnectionPort): WebSocketSession;
}

/**
 * Starts a gateway without a server. It resolves once the broker answers, or after 2 s without it: `/ready` says which.
 * Rejects with `OptionsRefused` if an option breaks a rule, and with the error of a broker that cannot be opened.
 */
export async function createTelltale(options: TelltaleOptions): Promise<Telltale> {
  const config = readOptions(options);
  const { tokens, clock = new SystemClock(), path = "" } = options;
  const quiet = new QuietTelemetry();
  const telemetry: TelemetryPort = options.telemetry ?? quiet;
  const core = await startCore({
    settings: config,
    clock,
    telemetry,
    tokens: typeof tokens === "function" ? NO_TOKENS : tokens,
    access: options.access ?? new ClaimsAndViewers(config.watchDefault),
    broker: await brokerOf(options.broker, config, clock, telemetry),
    origins: config,
    path,
    counters: () => (options.telemetry === undefined ? quiet.healthCounters() : {}),
    demo: undefined,
  });
  core.attend();
  const { app, gateway } = core;
  const presented =
    typeof tokens === "function" ? askedOf(tokens, { policy: config, clock, telemetry }) : undefined;
  const answering = { app, policy: config, path, presented };
  const underWay = new UnderWay();
  const publisher = new InProcessPublisher(gateway);
  let ended: Promise<void> | undefined;
  let isEnded = false;
  const end = (withinMs: number) => {
    ended ??= core
      .drain({ stopAccepting: () => {}, answered: () => underWay.none(), stop: async () => {} }, withinMs)
      .finally(() => {
        isEnded = true;
        publisher.end();
      });
    return ended;
  };
  return {
    async fetch(request, server) {
      if (isEnded) return new Response(null, { status: 503, headers: { "Retry-After": "1" } });
      return underWay.add(async () => {
        if (!isBunServer(server)) return app.fetch(request, { presented: presented?.(request) });
        // Bun leaves the answer to a request that became a WebSocket alone.
        return (await answerOnBun(request, server, answering)) ?? new Response(null);
      });
    },
    websocket: bunSocketHandler(gateway.sessions),
    accept(request) {
      const upgrade = isEnded
        ? undefined
        : readUpgrade(request, config, { path, presented: presented?.(request) });
      if (upgrade === undefined) return undefined;
      return {
        protocol: upgrade.protocol,
        open(connection) {
          const session = new WebSocketSession(connection, upgrade.intent, gateway.sessions);
          void session.opened();
          return session;
        },
      };
    },
    publish: (analysisId, events, more) => publisher.publish(analysisId, events, more),
    declareViewers: (analysisId, viewers) => publisher.declareViewers(analysisId, viewers),
    drain: () => end(config.drainMs),
    close: () => end(0),
  };
}

/** The verifier of a gateway whose application says who asks. A client may not present a token later either. */
const NO_TOKENS: TokenVerifierPort = {
  verify: () => Promise.reject(new TokenRejected("the application takes no tokens")),
};

async function brokerOf(
  broker: TelltaleOptions["broker"],
  config: Config,
  clock: ClockPort,
  telemetry: TelemetryPort,
): Promise<BrokerPorts> {
  if (typeof broker === "object") return broker;
  if (typeof broker !== "function") return openBroker(config, clock, telemetry);
  const history = { size: config.historySize, ttlMs: config.historyTtlMs };
  return broker({ env: process.env, clock, telemetry, history, listen: config.listen });
}

function isBunServer(server: unknown): server is BunServer {
  return typeof server === "object" && server !== null && "upgrade" in server && "timeout" in server;
}
