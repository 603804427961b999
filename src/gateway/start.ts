import { createDemo } from "../adapters/http/demo/demo-routes.ts";
import { gatewayApp } from "../adapters/http/gateway-app.ts";
import { signToken } from "../adapters/jwt/token-signer.ts";
import { listen } from "../adapters/server/bun.ts";
import { CHECK_POSITIONS_MS } from "../application/check-positions.ts";
import { reasonOf } from "../application/errors.ts";
import { capabilitiesOf, missingCapabilities } from "../application/ports/broker-ports.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import { WATCH_INBOX_MS } from "../application/watch-inbox.ts";
import demoPage from "../web/demo/index.html";
import { type BrokerOpener, openBroker } from "./brokers.ts";
import type { Config } from "./config/config.ts";
import { isLoopback } from "./config/demo-config.ts";
import { createGateway, type Gateway } from "./container.ts";
import { reachable } from "./reachable.ts";

export interface RunningGateway {
  readonly url: string;
  /** Takes no new connections, closes the open ones with 1001, and ends. Resolves when everything is closed. */
  drain(): Promise<void>;
}

/** The time between two sweeps for expired tokens and silent clients; a quarter of a heartbeat if that is shorter. */
const SWEEP_MS = 250;

/** The longest that a start waits for its broker, so that it can serve the first client. Then it starts without it. */
const BROKER_PATIENCE_MS = 2_000;
const LOOK_AGAIN_MS = 20;

/**
 * Starts a gateway. It serves from here on, with or without its broker: `/ready` says which. It starts without the
 * capabilities that the broker lacks as well. `open` may open another broker than the configuration names.
 */
export async function startGateway(config: Config, open: BrokerOpener = openBroker): Promise<RunningGateway> {
  const gateway = await createGateway(config, open);
  const { telemetry, clock } = gateway;
  const leaving = new AbortController();
  let url = "";
  const demo = config.demo ? demoOf(gateway, () => url) : undefined;
  const app = gatewayApp({
    ...gateway,
    origins: config,
    counters: () => telemetry.healthCounters(),
    capabilities: () => capabilitiesOf(gateway.broker),
    leaving: leaving.signal,
    demo: demo?.routes,
  });
  const heard = inTime(clock, BROKER_PATIENCE_MS, listenToWorkers(gateway));
  await Promise.all([heard, brokerUp(gateway)]);
  tellCapabilities(gateway);
  gateway.requestLimit.execute();
  const server = listen({
    host: config.host,
    port: config.port,
    app,
    services: gateway.sessions,
    policy: config,
  });
  gateway.ingestInbox?.start();
  const stopWatchingInbox = clock.every(WATCH_INBOX_MS, () => {
    setGauges(gateway);
    gateway.requestLimit.execute();
    void gateway.inbox.execute();
  });
  const stopChecking = clock.every(CHECK_POSITIONS_MS, () => void gateway.checkPositions.execute());
  url = `http://${reachable(config.host)}:${server.port}`;
  const stopSweeping = clock.every(Math.min(SWEEP_MS, config.heartbeatIntervalMs / 4), () => {
    gateway.heartbeats.execute();
    gateway.expire.execute();
  });
  return {
    url,
    async drain() {
      leaving.abort();
      server.stopAccepting();
      demo?.stop();
      const { drainMs } = config;
      // The gateway finishes the messages that it has heard and the requests under way. Other gateways hear the later
      // ones.
      const heardOut = gateway.workers?.stopListening().then(() => gateway.ingest?.settled());
      const underWay = Promise.all([gateway.ingestInbox?.stop(), heardOut, server.answered()]);
      await Promise.all([gateway.drain.execute(), inTime(clock, drainMs, underWay)]);
      stopSweeping();
      stopChecking();
      stopWatchingInbox();
      await server.stop();
      await gateway.close();
    },
  };
}

/** Tells operators what the broker gives, as far as it is known by now, and which ways for workers are missing. */
function tellCapabilities({ broker, telemetry }: Gateway): void {
  const { kind } = broker.events;
  telemetry.log("info", "the broker", { kind, capabilities: capabilitiesOf(broker).join(", ") });
  for (const capability of missingCapabilities(broker))
    telemetry.log("info", "the broker lacks a capability", { broker: kind, capability });
}

/** Resolves when `done` does, or after `milliseconds`. */
async function inTime(clock: ClockPort, milliseconds: number, done: Promise<unknown>): Promise<void> {
  let cancel = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(milliseconds, resolve);
  });
  await Promise.race([done, late]);
  cancel();
}

/** Resolves when the gateway hears workers. Never rejects: it hears them once the broker is back. */
async function listenToWorkers({ workers, ingest, telemetry }: Gateway): Promise<void> {
  try {
    await workers?.listen((message) => ingest?.execute(message));
  } catch (error) {
    telemetry.log("error", "workers cannot be heard", { message: reasonOf(error) });
  }
}

/** Resolves when the broker is known to be up, or after `BROKER_PATIENCE_MS`. */
function brokerUp({ pubSub, clock }: Gateway): Promise<void> {
  const deadline = clock.now() + BROKER_PATIENCE_MS;
  return new Promise((resolve) => {
    const look = () => {
      const health = pubSub.health();
      const ready = health.status === "up" && health.refuses === undefined;
      if (ready || clock.now() >= deadline) resolve();
      else clock.after(LOOK_AGAIN_MS, look);
    };
    look();
  });
}

/** Sets every gauge to its present value. It does not ask the broker. */
function setGauges({ telemetry, registry, pubSub, inbox: { health } }: Gateway): void {
  telemetry.set("telltale_watched_analyses", {}, registry.statistics().active_analyses);
  telemetry.set("telltale_broker_up", {}, pubSub.health().status === "up" ? 1 : 0);
  if (!("entries" in health)) return;
  telemetry.set("telltale_inbox_entries", {}, health.entries);
  telemetry.set("telltale_inbox_oldest_seconds", {}, (health.oldestAgeMs ?? 0) / 1_000);
}

function demoOf(gateway: Gateway, baseUrl: () => string) {
  const { config, clock, telemetry } = gateway;
  return createDemo({
    page: demoPage,
    ownNamesOnly: isLoopback(config.host),
    baseUrl,
    clock,
    refusals: gateway.refusals,
    mintToken: ({ scopes, ...claims }) => signToken(config.jwt.secret, { ...claims, scopes }, clock.now()),
    onFault: (analysis, error) =>
      telemetry.log("error", "the demo could not publish", { analysis, message: String(error) }),
  });
}
