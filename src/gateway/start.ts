import { createDemo } from "../adapters/http/demo/demo-routes.ts";
import { gatewayApp } from "../adapters/http/gateway-app.ts";
import { signToken } from "../adapters/jwt/token-signer.ts";
import { listen } from "../adapters/server/bun.ts";
import { CHECK_POSITIONS_MS } from "../application/check-positions.ts";
import { missingCapabilities } from "../application/ports/broker-ports.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import { reasonOf } from "../application/reason-of.ts";
import { WATCH_INBOX_MS } from "../application/watch-inbox.ts";
import demoPage from "../web/demo/index.html";
import { openBroker } from "./brokers.ts";
import type { Config } from "./config/config.ts";
import { isLoopback } from "./config/demo-config.ts";
import { createGateway, type Gateway } from "./container.ts";
import { reachable } from "./reachable.ts";

export interface RunningGateway {
  readonly url: string;
  /** Takes no new connections, says goodbye to those that are open, and ends. Resolves when all is closed. */
  drain(): Promise<void>;
}

/** Tokens and silence are looked at this often, or four times a heartbeat where that is shorter. */
const SWEEP_MS = 250;

/** How long a start waits for its broker, so that the first client is served; after that it serves what it can. */
const BROKER_PATIENCE_MS = 2_000;
const LOOK_AGAIN_MS = 20;

/**
 * Starts a gateway. It serves from here on, with or without its broker: `/ready` says which. It starts without the
 * capabilities that the broker lacks as well. `open` may open another broker than the configuration names.
 */
export async function startGateway(
  config: Config,
  open: typeof openBroker = openBroker,
): Promise<RunningGateway> {
  const gateway = createGateway(config, open);
  const { telemetry, clock } = gateway;
  const leaving = new AbortController();
  let url = "";
  const demo = config.demo ? demoOf(gateway, () => url) : undefined;
  const app = gatewayApp({
    ...gateway,
    origins: config,
    counters: () => telemetry.healthCounters(),
    leaving: leaving.signal,
    demo: demo?.routes,
  });
  for (const capability of missingCapabilities(gateway.broker))
    telemetry.log("info", "the broker lacks a capability", { broker: gateway.pubSub.kind, capability });
  const heard = inTime(clock, BROKER_PATIENCE_MS, listenToWorkers(gateway));
  await Promise.all([heard, brokerUp(gateway)]);
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
      // What workers were heard to say, and requests under way, are finished first; what they say from now on is
      // for the others.
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

/** Waits for something, but no longer than so many milliseconds. */
async function inTime(clock: ClockPort, milliseconds: number, done: Promise<unknown>): Promise<void> {
  let cancel = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(milliseconds, resolve);
  });
  await Promise.race([done, late]);
  cancel();
}

/** Resolves when workers are heard. Never rejects: without its broker a gateway hears again when that is back. */
async function listenToWorkers({ workers, ingest, telemetry }: Gateway): Promise<void> {
  try {
    await workers?.listen((message) => ingest?.execute(message));
  } catch (error) {
    telemetry.log("error", "workers cannot be heard", { message: reasonOf(error) });
  }
}

/** Resolves when the broker is known to be up, or when it was waited for long enough: nobody goes on looking then. */
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

/** Sets every gauge to what is known at this moment. Nothing is asked of the broker for it. */
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
