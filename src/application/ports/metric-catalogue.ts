/**
 * Every metric of a gateway. A name or a label that is missing here does not compile. Names and units follow the
 * conventions of Prometheus: seconds and bytes, `_total` at the end of a counter.
 */
export const METRICS = {
  telltale_publish_total: {
    type: "counter",
    unit: "events",
    help: "Events that publishers sent, by their way in and by what became of them. A repeated request counts once.",
    labels: {
      lane: ["http", "bare", "inbox"],
      outcome: ["stored", "duplicate", "left_to_others", "lost"],
    },
  },
  telltale_dead_letters_total: {
    type: "counter",
    unit: "messages",
    help: "Messages of workers that became dead letters, by the kind of their fault.",
    labels: {
      reason: [
        "not_json",
        "too_large",
        "invalid",
        "channel",
        "attempt_superseded",
        "attempt_ended",
        "fault",
        "other",
      ],
    },
  },
  telltale_inbox_failures_total: {
    type: "counter",
    unit: "failures",
    help: "Reasons for which the inbox could not be emptied, each counted when it began.",
    labels: {},
  },
  telltale_inbox_entries: {
    type: "gauge",
    unit: "entries",
    help: "Entries that wait in the inbox.",
    labels: {},
  },
  telltale_inbox_oldest_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "Age of the oldest entry in the inbox, by the broker's clock; 0 if it is empty.",
    labels: {},
  },
  telltale_watched_analyses: {
    type: "gauge",
    unit: "analyses",
    help: "Analyses that somebody watches through this gateway.",
    labels: {},
  },
  telltale_resyncs_total: {
    type: "counter",
    unit: "reads",
    help: "Histories that were read again because something may have been missing, by the reason.",
    labels: {
      reason: [
        // An event does not follow the last one.
        "hole",
        // The next event belongs to another epoch.
        "epoch_changed",
        // The connection to the broker broke and was made again.
        "link_restored",
        // A replay was read of another history than the one it was to end on.
        "replay_broken_off",
        // A read found less than this node had when the read began.
        "shorter_history",
        // More arrived during a read than the node holds.
        "held_too_much",
        // The broker does not have the position that this node has.
        "lost",
        // The broker is ahead, and nothing arrived between two position checks.
        "behind",
        // The broker was restarted or replaced, so its history may have forked.
        "lineage_changed",
        // The read before failed.
        "retry",
      ],
    },
  },
  telltale_feed_restarts_total: {
    type: "counter",
    unit: "feeds",
    help: "Feeds that began anew because the broker no longer had their position.",
    labels: {},
  },
  telltale_broker_up: {
    type: "gauge",
    unit: "boolean",
    help: "1 if the broker answers, else 0.",
    labels: {},
  },
  telltale_broker_round_trip_seconds: {
    type: "histogram",
    unit: "seconds",
    help: "Time from publishing a probe until this gateway hears it.",
    labels: {},
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  telltale_broker_connections_lost_total: {
    type: "counter",
    unit: "connections",
    help: "Connections to the broker that broke.",
    labels: {},
  },
  telltale_stalled_subscriptions_total: {
    type: "counter",
    unit: "connections",
    help: "Listening connections that no longer delivered and were made anew.",
    labels: {},
  },
  telltale_replicas_missing_total: {
    type: "counter",
    unit: "flushes",
    help: "Flushes that fewer replicas confirmed in time than are required.",
    labels: {},
  },
  telltale_foreign_messages_total: {
    type: "counter",
    unit: "messages",
    help: "Messages on a channel of the gateways that no gateway wrote.",
    labels: {},
  },
  telltale_subscriber_faults_total: {
    type: "counter",
    unit: "faults",
    help: "Errors that a subscriber threw when it was given a message.",
    labels: {},
  },
} as const satisfies Readonly<Record<string, Metric>>;

export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  /** The thing that is counted or measured. */
  readonly unit: string;
  readonly help: string;
  /** Each label with every value that it may have, so that the number of series is bounded. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds of the buckets of a histogram, rising. */
  readonly buckets?: readonly number[];
}

export type MetricName = keyof typeof METRICS;
export type CounterName = NamesOf<"counter">;
export type GaugeName = NamesOf<"gauge">;
export type HistogramName = NamesOf<"histogram">;

/** The labels of a metric, all of them; `{}` for a metric without labels. */
export type LabelsOf<Name extends MetricName> = keyof Values<Name> extends never
  ? Readonly<Record<string, never>>
  : { readonly [Label in keyof Values<Name>]: Allowed<Values<Name>[Label]> };

/** Why a history is read again. */
export type ResyncReason = LabelsOf<"telltale_resyncs_total">["reason"];

type NamesOf<Type extends Metric["type"]> = {
  [Name in MetricName]: (typeof METRICS)[Name]["type"] extends Type ? Name : never;
}[MetricName];
type Values<Name extends MetricName> = (typeof METRICS)[Name]["labels"];
type Allowed<List> = Extract<List extends readonly (infer Value)[] ? Value : never, string>;

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
