import type { CounterName, LabelsOf } from "./ports/metric-names.ts";

/** The counters of `/ws/health`, by the names that they have there: one series of a counter, or all of its series. */
export const HEALTH_COUNTERS = {
  events_published: of("telltale_publish_total", { lane: "http", outcome: "stored" }),
  publishes_repeated: of("telltale_publish_total", { lane: "http", outcome: "duplicate" }),
  bare_events_adopted: of("telltale_publish_total", { lane: "bare", outcome: "stored" }),
  bare_events_seen: of("telltale_publish_total", { lane: "bare", outcome: "duplicate" }),
  bare_events_left_to_others: of("telltale_publish_total", { lane: "bare", outcome: "left_to_others" }),
  bare_events_lost: of("telltale_publish_total", { lane: "bare", outcome: "lost" }),
  inbox_events_adopted: of("telltale_publish_total", { lane: "inbox", outcome: "stored" }),
  inbox_entries_seen: of("telltale_publish_total", { lane: "inbox", outcome: "duplicate" }),
  inbox_failures: of("telltale_inbox_failures_total"),
  dead_letters: of("telltale_dead_letters_total"),
  feed_heals: of("telltale_resyncs_total"),
  feed_restarts: of("telltale_feed_restarts_total"),
  broker_links_lost: of("telltale_broker_connections_lost_total"),
  deaf_connections: of("telltale_stalled_subscriptions_total"),
  replicas_short: of("telltale_replicas_missing_total"),
  foreign_messages: of("telltale_foreign_messages_total"),
  subscriber_faults: of("telltale_subscriber_faults_total"),
} as const;

export type HealthCounter = keyof typeof HEALTH_COUNTERS;

function of<Name extends CounterName>(counter: Name, labels?: LabelsOf<Name>) {
  return { counter, labels };
}
