import type { WebSocketHandler } from "bun";
import { answerOnBun, type BunServer, bunSocketHandler, type SocketData } from "../../adapters/server/bun.ts";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import { ClaimsAndViewers } from "../../application/access-policy.ts";
import { TokenRejected } from "../../application/errors.ts";
import type { BrokerPorts } from "../../application/ports/broker-ports.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { PublishableEvent } from "../../client/publishable.ts";
import { type AcceptedSocket, acceptSocket } from "../../session/accepted-socket.ts";
import { openBroker } from "../brokers.ts";
import type { Config } from "../config/config.ts";
import { startCore } from "../core.ts";
import { tokenVerifierOf } from "../tokens.ts";
import { InProcessPublisher, type PublishedInProcess, type PublishOptions } from "./in-process-publisher.ts";
import { askedOf } from "./own-authentication.ts";
import { readOptions, type TelltaleOptions } from "./telltale-options.ts";
import { UnderWay } from "./under-way.ts";

/** A gateway inside an application, on the application's own server. Several in one process know nothing of each other. */
export interface Telltale {
  /**
   * Answers a request below the path. `env` is what the server gave beside it, as hono has it in `context.env`. If that is
   * the server of Bun, a request for a WebSocket is upgraded, provided that `websocket` is the handler of that server.
   */
  fetch(request: Request, env?: unknown): Promise<Response>;
  /** The WebSocket handler for a server of Bun. It serves no sockets but Telltale's. */
  readonly websocket: WebSocketHandler<SocketData>;
  /**
   * The way to WebSockets on any other server: `serveSockets` of `telltale/node`, or an adapter of the application.
   * Undefined if the request asks for none below the path.
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

/**
 * Starts a gateway without a server. It resolves once the broker answers, or after 2 s without it: `/ready` says which.
 * Rejects with `OptionsRefused` if an option breaks a rule, and with the error of a broker that cannot be opened.
 */
export async function createTelltale(options: TelltaleOptions): Promise<Telltale> {
  const config = readOptions(options);
  const { clock = new SystemClock(), path = "" } = options;
  const quiet = new QuietTelemetry();
  const telemetry: TelemetryPort = options.telemetry ?? quiet;
  const tokens = options.tokens ?? tokenVerifierOf(config, clock, telemetry);
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
    exposition: undefined,
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
    async fetch(request, env) {
      if (isEnded) return new Response(null, { status: 503, headers: { "Retry-After": "1" } });
      return underWay.add(async () => {
        if (!isBunServer(env))
          return app.fetch(request, { presented: presented?.(request), cut: cutOf(env) });
        // Bun leaves the answer to a request that became a WebSocket alone.
        return (await answerOnBun(request, env, answering)) ?? new Response(null);
      });
    },
    websocket: bunSocketHandler(gateway.sessions),
    accept(request) {
      if (isEnded) return undefined;
      return acceptSocket(request, config, gateway.sessions, { path, presented: presented?.(request) });
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

function isBunServer(env: unknown): env is BunServer {
  return typeof env === "object" && env !== null && "upgrade" in env && "timeout" in env;
}

/** The way to end a connection, if the server has one (`answerBy` of `telltale/node`). */
function cutOf(env: unknown): (() => void) | undefined {
  const cut = typeof env === "object" && env !== null && "cut" in env ? env.cut : undefined;
  return typeof cut === "function" ? () => void cut() : undefined;
}
