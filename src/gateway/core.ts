import type { Hono } from "hono";
import { gatewayApp } from "../adapters/http/gateway-app.ts";
import type { Exposition } from "../adapters/http/metrics-routes.ts";
import { CHECK_POSITIONS_MS } from "../application/check-positions.ts";
import { LOOK_FOR_ABANDONED_MS } from "../application/end-abandoned.ts";
import { reasonOf } from "../application/errors.ts";
import { capabilitiesOf } from "../application/ports/broker-ports.ts";
import { TELL_REFUSALS_MS } from "../application/refusals.ts";
import { WATCH_INBOX_MS } from "../application/watch-inbox.ts";
import type { MountedPath } from "../session/mounted-path.ts";
import type { OriginPolicy } from "../session/origin-policy.ts";
import { clientScript } from "./client-script.ts";
import { createGateway, type Gateway, type GivenParts } from "./container.ts";
import { type DrainedServer, drainGateway, inTime, sendAwayNow } from "./drain-gateway.ts";
import { setGauges } from "./gauges.ts";
import { ToldCapabilities } from "./told-capabilities.ts";
import { VERSION } from "./version.ts";

/** A gateway without a server: the command line gives it one of its own, and an application embeds it in its own. */
export interface Core {
  readonly gateway: Gateway;
  /** Answers everything but upgrades. */
  readonly app: Hono;
  /** Sets every gauge of the telemetry to its present value. It happens by itself every two seconds. */
  setGauges(): void;
  /** Takes entries of the inbox from here on, and ends expired tokens and silent clients. To be called once. */
  attend(): void;
  /**
   * Ends: admits nobody, closes the connections with 1001, finishes the work that is under way, then closes the broker.
   * Resolves when everything is closed. It waits at most `withinMs` for the clients and the work, the drain time if left
   * out. To be called once.
   */
  drain(server: DrainedServer, withinMs?: number): Promise<void>;
  /** Closes every connection with 1001 at once, and waits for nothing but their last bytes. The process ends after it. */
  sendAwayNow(): Promise<void>;
}

interface CoreOptions extends GivenParts, MountedPath {
  readonly origins: OriginPolicy;
  /** Counters for `/ws/health`, by name. */
  readonly counters: () => Readonly<Record<string, number>>;
  /** The demo; undefined if it is off. */
  readonly demo: Hono | undefined;
  /** The answer of `/metrics`; undefined if it is not served. */
  readonly exposition: Exposition | undefined;
}

/** The time between two sweeps for expired tokens and silent clients; a quarter of a heartbeat if that is shorter. */
const SWEEP_MS = 250;

/** The longest that a start waits for its broker, so that it can serve the first client. Then it starts without it. */
const BROKER_PATIENCE_MS = 2_000;
const LOOK_AGAIN_MS = 20;

/**
 * Builds a gateway and listens to workers. Resolves with or without the broker: `/ready` says which. The gateway starts
 * without the capabilities that the broker lacks as well.
 */
export async function startCore({
  origins,
  path,
  basePath = "",
  counters,
  demo,
  exposition,
  ...given
}: CoreOptions): Promise<Core> {
  const gateway = createGateway(given);
  const { clock } = gateway;
  const leaving = new AbortController();
  const app = gatewayApp({
    ...gateway,
    origins,
    path,
    basePath,
    counters,
    capabilities: () => capabilitiesOf(gateway.broker),
    leaving: leaving.signal,
    demo,
    exposition,
    clientScript,
    version: VERSION,
  });
  const gauges = () => setGauges(gateway, { ...gateway, leaving: leaving.signal });
  await Promise.all([inTime(clock, BROKER_PATIENCE_MS, listenToWorkers(gateway)), brokerUp(gateway)]);
  const capabilities = new ToldCapabilities(gateway);
  capabilities.tell();
  gateway.requestLimit.execute();
  let stopAttending = () => {};
  return {
    gateway,
    app,
    setGauges: gauges,
    attend() {
      stopAttending = attend(gateway, capabilities, gauges);
    },
    async drain(server, withinMs = given.settings.drainMs) {
      leaving.abort();
      await drainGateway(gateway, server, withinMs);
      stopAttending();
      await server.stop();
      await gateway.close();
    },
    sendAwayNow: () => sendAwayNow(gateway),
  };
}

/** Begins everything that a gateway does by itself. The answer ends it, but for the inbox. */
function attend(gateway: Gateway, capabilities: ToldCapabilities, gauges: () => void): () => void {
  const { clock, settings, telemetry } = gateway;
  gateway.ingestInbox?.start();
  if (settings.abandonAfterMs > 0 && gateway.abandoned === undefined)
    telemetry.log(
      "warn",
      "ABANDON_AFTER_SECONDS has no effect: this broker keeps no index of running analyses",
    );
  const stops = [
    clock.every(WATCH_INBOX_MS, () => {
      gauges();
      capabilities.tellChange();
      gateway.requestLimit.execute();
      void gateway.inbox.execute();
    }),
    clock.every(TELL_REFUSALS_MS, () => gateway.refusals.tell()),
    clock.every(LOOK_FOR_ABANDONED_MS, () => void gateway.abandoned?.execute()),
    clock.every(CHECK_POSITIONS_MS, () => void gateway.checkPositions.execute()),
    clock.every(Math.min(SWEEP_MS, settings.heartbeatIntervalMs / 4), () => {
      gateway.heartbeats.execute();
      gateway.expire.execute();
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    gateway.refusals.tell();
  };
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
