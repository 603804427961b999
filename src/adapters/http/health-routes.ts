import { Hono } from "hono";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { BrokerHealth, PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { WorkerChannelPort } from "../../application/ports/worker-channel-port.ts";
import type { InboxHealth, WatchInbox } from "../../application/watch-inbox.ts";
import type { ConnectionRegistry } from "../../domain/connection-registry.ts";

export interface HealthSources {
  readonly pubSub: PubSubPort;
  readonly workers: Pick<WorkerChannelPort, "away">;
  readonly inbox: Pick<WatchInbox, "health">;
  readonly registry: ConnectionRegistry;
  readonly clock: ClockPort;
  /** Counters since the start, by name. */
  readonly counters: () => Readonly<Record<string, number>>;
  /** Aborted when the gateway is on its way out: it should get no new clients, and keep none waiting. */
  readonly leaving: AbortSignal;
}

/** What balancers and operators ask. None of it waits for the broker. */
export function healthRoutes(sources: HealthSources): Hono {
  const { pubSub, workers, inbox, registry, clock, counters, leaving } = sources;
  const routes = new Hono();

  routes.get("/health", (context) => context.json({ status: "alive" }));

  routes.get("/ready", (context) => {
    const health = brokerHealth(pubSub, workers);
    if (leaving.aborted) return context.json({ ready: false, reason: "draining" }, 503);
    if (health.status === "down") return context.json({ ready: false, reason: health.reason }, 503);
    if (inbox.health.status === "stuck") return context.json({ ready: false, reason: STUCK }, 503);
    return context.json({ ready: true });
  });

  routes.get("/ws/health", (context) => {
    const broker = brokerHealth(pubSub, workers);
    const { total_connections, active_analyses } = registry.statistics();
    return context.json({
      status: broker.status === "up" && inbox.health.status !== "stuck" ? "ok" : "degraded",
      broker: { kind: pubSub.kind, ...broker },
      inbox: inboxFields(inbox.health),
      websocket_stats: { total_connections, active_analyses },
      counters: counters(),
      timestamp: new Date(clock.now()).toISOString(),
    });
  });

  return routes;
}

/** The broker as a whole: a gateway that hears no worker is as little ready as one that cannot store. */
function brokerHealth(pubSub: PubSubPort, { away }: Pick<WorkerChannelPort, "away">): BrokerHealth {
  const health = pubSub.health();
  if (health.status === "down" || away === undefined) return health;
  return { status: "down", reason: away, warnings: health.warnings };
}

const STUCK = "the oldest entry of the inbox has not moved for 30 s";

function inboxFields(health: InboxHealth) {
  if (!("entries" in health)) return { entries: null, oldest_age_seconds: null, ...health };
  const { status, entries, oldestAgeMs } = health;
  return { status, entries, oldest_age_seconds: oldestAgeMs === undefined ? null : oldestAgeMs / 1_000 };
}
