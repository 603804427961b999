import { type ReadinessSources, unreadiness } from "../adapters/http/health-routes.ts";
import type { Transport } from "../application/ports/metric-catalogue.ts";
import type { Gateway } from "./container.ts";

/** Sets every gauge to its present value, and hands over the deliveries since the last time. It does not ask the broker. */
export function setGauges(
  { telemetry, registry, connections, deliveries, pubSub, inbox: { health } }: Gateway,
  readiness: ReadinessSources,
): void {
  deliveries.report(telemetry);
  for (const [transport, open] of Object.entries(connections.byTransport) as [Transport, number][])
    telemetry.set("telltale_connections", { transport }, open);
  telemetry.set("telltale_ready", {}, unreadiness(readiness) === undefined ? 1 : 0);
  telemetry.set("telltale_watched_analyses", {}, registry.statistics().active_analyses);
  telemetry.set("telltale_broker_up", {}, pubSub.health().status === "up" ? 1 : 0);
  if (!("entries" in health)) return;
  telemetry.set("telltale_inbox_entries", {}, health.entries);
  telemetry.set("telltale_inbox_oldest_seconds", {}, (health.oldestAgeMs ?? 0) / 1_000);
}
