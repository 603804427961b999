import type { Hono } from "hono";
import { gatewayApp } from "../adapters/http/gateway-app.ts";
import type { Listening } from "../adapters/server/listening.ts";
import { CHECK_POSITIONS_MS } from "../application/check-positions.ts";
import { reasonOf } from "../application/errors.ts";
import { capabilitiesOf } from "../application/ports/broker-ports.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import { WATCH_INBOX_MS } from "../application/watch-inbox.ts";
import type { OriginPolicy } from "../session/origin-policy.ts";
import { createGateway, type Gateway, type GivenParts } from "./container.ts";
import { ToldCapabilities } from "./told-capabilities.ts";

/** A gateway without a server: the command line gives it one of its own, and an application embeds it in its own. */
export interface Core {
  readonly gateway: Gateway;
  /** Answers everything but upgrades. */
  readonly app: Hono;
  /** Takes entries of the inbox from here on, and ends expired tokens and silent clients. To be called once. */
  attend(): void;
  /**
   * Ends: takes nothing new, finishes the work that is under way, closes the connections with 1001, then the broker.
   * Resolves when everything is closed. It waits at most `withinMs` for the work and the clients, the drain time if left
   * out. To be called once.
   */
  drain(server: DrainedServer, withinMs?: number): Promise<void>;
}

type DrainedServer = Pick<Listening, "stopAccepting" | "answered" | "stop">;

interface CoreOptions extends GivenParts {
  readonly origins: OriginPolicy;
  /** The path before every path of the gateway, as `/telltale`; empty if it has none. */
  readonly path: string;
  /** Counters for `/ws/health`, by name. */
  readonly counters: () => Readonly<Record<string, number>>;
  /** The demo; undefined if it is off. */
  readonly demo: Hono | undefined;
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
export async function startCore({ origins, path, counters, demo, ...given }: CoreOptions): Promise<Core> {
  const gateway = createGateway(given);
  const { clock } = gateway;
  const leaving = new AbortController();
  const app = gatewayApp({
    ...gateway,
    origins,
    path,
    counters,
    capabilities: () => capabilitiesOf(gateway.broker),
    leaving: leaving.signal,
    demo,
  });
  await Promise.all([inTime(clock, BROKER_PATIENCE_MS, listenToWorkers(gateway)), brokerUp(gateway)]);
  const capabilities = new ToldCapabilities(gateway);
  capabilities.tell();
  gateway.requestLimit.execute();
  let stopAttending = () => {};
  return {
    gateway,
    app,
    attend() {
      stopAttending = attend(gateway, capabilities);
    },
    async drain(server, withinMs = given.settings.drainMs) {
      leaving.abort();
      server.stopAccepting();
      // The gateway finishes the messages that it has heard and the requests under way. Other gateways hear the later
      // ones.
      const heardOut = gateway.workers?.stopListening().then(() => gateway.ingest?.settled());
      const underWay = Promise.all([gateway.ingestInbox?.stop(), heardOut, server.answered()]);
      await Promise.all([gateway.drain.execute(withinMs), inTime(clock, withinMs, underWay)]);
      stopAttending();
      await server.stop();
      await gateway.close();
    },
  };
}

/** Begins everything that a gateway does by itself. The answer ends it, but for the inbox. */
function attend(gateway: Gateway, capabilities: ToldCapabilities): () => void {
  const { clock, settings } = gateway;
  gateway.ingestInbox?.start();
  const stops = [
    clock.every(WATCH_INBOX_MS, () => {
      setGauges(gateway);
      capabilities.tellChange();
      gateway.requestLimit.execute();
      void gateway.inbox.execute();
    }),
    clock.every(CHECK_POSITIONS_MS, () => void gateway.checkPositions.execute()),
    clock.every(Math.min(SWEEP_MS, settings.heartbeatIntervalMs / 4), () => {
      gateway.heartbeats.execute();
      gateway.expire.execute();
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
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
