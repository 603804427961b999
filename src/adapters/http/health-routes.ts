import { Hono } from "hono";
import { wordsOf } from "../../application/broker-trouble.ts";
import type { IngestInboxEntries } from "../../application/ingest-inbox-entries.ts";
import type { BrokerHealth } from "../../application/ports/broker-health.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { DeadLetterPort } from "../../application/ports/dead-letter-port.ts";
import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { WorkerChannelPort } from "../../application/ports/worker-channel-port.ts";
import type { InboxHealth, WatchInbox } from "../../application/watch-inbox.ts";
import type { WatchRequestLimit } from "../../application/watch-request-limit.ts";
import type { ConnectionRegistry } from "../../domain/connection-registry.ts";

/** Everything that decides whether the gateway is ready. */
export interface ReadinessSources {
  readonly pubSub: PubSubPort;
  readonly requestLimit: Pick<WatchRequestLimit, "warning">;
  /** Undefined if the broker has no worker channels. */
  readonly workers: Pick<WorkerChannelPort, "away"> | undefined;
  readonly deadLetters: Pick<DeadLetterPort, "trouble">;
  readonly inbox: Pick<WatchInbox, "health">;
  /** Why entries of the inbox cannot be taken, if they cannot; undefined if the broker has no inbox. */
  readonly ingestInbox: Pick<IngestInboxEntries, "trouble"> | undefined;
  /** Aborted when the gateway drains: a balancer should send it no new client. */
  readonly leaving: AbortSignal;
}

export interface HealthSources extends ReadinessSources {
  /** Everything that the broker declares (`capabilitiesOf`). */
  readonly capabilities: () => readonly string[];
  readonly registry: ConnectionRegistry;
  readonly clock: ClockPort;
  /** Counters since the start, by name. */
  readonly counters: () => Readonly<Record<string, number>>;
}

/** The routes for balancers and operators. None of them waits for the broker. */
export function healthRoutes(sources: HealthSources): Hono {
  const { inbox, registry, clock, counters } = sources;
  const routes = new Hono();

  routes.get("/health", (context) => context.json({ status: "alive" }));

  routes.get("/ready", (context) => {
    const reason = unreadiness(sources);
    return reason === undefined ? context.json({ ready: true }) : context.json({ ready: false, reason }, 503);
  });

  routes.get("/ws/health", (context) => {
    const broker = brokerHealth(sources);
    const { total_connections, active_analyses } = registry.statistics();
    return context.json({
      status:
        broker.status === "up" && works(inbox.health) && inboxFault(sources) === undefined
          ? "ok"
          : "degraded",
      broker: {
        kind: sources.pubSub.kind,
        ...broker,
        capabilities: sources.capabilities(),
      },
      inbox: inboxFields(inbox.health),
      websocket_stats: { total_connections, active_analyses },
      counters: counters(),
      timestamp: new Date(clock.now()).toISOString(),
    });
  });

  return routes;
}

/** Why the gateway should get no new client now; undefined if it is ready. */
export function unreadiness(sources: ReadinessSources): string | undefined {
  if (sources.leaving.aborted) return "draining";
  const health = brokerHealth(sources);
  return health.status === "down" ? health.reason : inboxFault(sources);
}

/** The broker as a whole: it is down if the gateway hears no worker or cannot store, as if the gateway had no broker. */
function brokerHealth({ pubSub, requestLimit, workers, deadLetters }: ReadinessSources): BrokerHealth {
  const away = workers?.away ?? deadLetters.trouble;
  const { warnings: ofBroker, ...health } = pubSub.health();
  const warnings = requestLimit.warning === undefined ? ofBroker : [...ofBroker, requestLimit.warning];
  const fault = health.status === "down" ? { cause: health.cause, reason: health.reason } : health.refuses;
  const worst = fault ?? (away && { cause: away.cause, reason: wordsOf(away) });
  return worst === undefined ? { status: "up", warnings } : { status: "down", ...worst, warnings };
}

const STUCK = "the oldest entry of the inbox has not moved for 30 s";

/**
 * The reason why the gateway does not serve workers that use the inbox: its user may not empty the inbox, the stream of it has
 * the wrong settings, or nobody takes the oldest entry. Any other fault passes with the broker's own trouble, or no gateway can mend it.
 */
function inboxFault({ inbox: { health }, ingestInbox }: ReadinessSources): string | undefined {
  const trouble = ingestInbox?.trouble;
  if (trouble?.cause === "permission" || trouble?.cause === "stream_settings")
    return `the inbox: ${wordsOf(trouble)}`;
  return health.status === "stuck" ? STUCK : undefined;
}

/** False if workers can add nothing. No gateway is to be avoided for that: each takes what waits, and it is over then. */
function works(health: InboxHealth): boolean {
  return !("entries" in health) || health.reason === undefined;
}

function inboxFields(health: InboxHealth) {
  if (!("entries" in health)) return { entries: null, oldest_age_seconds: null, ...health };
  const { status, entries, oldestAgeMs, reason } = health;
  const oldest_age_seconds = oldestAgeMs === undefined ? null : oldestAgeMs / 1_000;
  return { status, entries, oldest_age_seconds, ...(reason !== undefined && { reason }) };
}
