import { CLOSE_CODES } from "../../domain/close-code.ts";
import { REFUSAL_REASONS } from "../../domain/refusal-reason.ts";

/** The ways in which a client is served. A read with `wait` is a connection as long as it waits. */
const TRANSPORTS = ["websocket", "sse", "wait"] as const;

/**
 * Every metric of a gateway. A name or a label that is missing here does not compile. Names and units follow the
 * conventions of Prometheus: seconds and bytes, `_total` at the end of a counter.
 */
export const METRICS = {
  telltale_build_info: {
    type: "gauge",
    unit: "boolean",
    help: "Always 1; the labels say which gateway this is.",
    labels: { version: "constant", runtime: ["bun", "deno"] },
  },
  telltale_ready: {
    type: "gauge",
    unit: "boolean",
    help: "1 if /ready is 200, else 0.",
    labels: {},
  },
  telltale_connections: {
    type: "gauge",
    unit: "connections",
    help: "Connections of clients, by the way in which they are served.",
    labels: { transport: TRANSPORTS },
  },
  telltale_connections_closed_total: {
    type: "counter",
    unit: "connections",
    help: "Connections that ended, by the code of the gateway; none if the client left or its link broke.",
    labels: { code: ["none", ...Object.values(CLOSE_CODES).map(({ code }) => `${code}`)] },
  },
  telltale_refused_total: {
    type: "counter",
    unit: "refusals",
    help: "Requests, connections and subscriptions that were refused, by the code of the refusal.",
    labels: { reason: REFUSAL_REASONS },
  },
  telltale_events_delivered_total: {
    type: "counter",
    unit: "events",
    help: "Events that were written to clients, replays included, by the way in which they are served.",
    labels: { transport: TRANSPORTS },
  },
  telltale_delivery_seconds: {
    type: "histogram",
    unit: "seconds",
    help: "Time from the append of a live event, by the clock of the broker, until it was written to a client.",
    labels: {},
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  telltale_conflated_total: {
    type: "counter",
    unit: "events",
    help: "Statuses that were left out for a client that does not keep up, since a newer one waited.",
    labels: {},
  },
  telltale_waiting_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Text that waits for clients that do not keep up, counted once for each of them; a character counts as a byte.",
    labels: {},
  },
  telltale_resumes_total: {
    type: "counter",
    unit: "resumes",
    help: "Subscriptions with a position: resumed if everything after it followed, gone if the broker no longer had it.",
    labels: { outcome: ["resumed", "gone"] },
  },
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
    help: "Time from sending a probe to the broker until this gateway hears it, or the answer.",
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
  telltale_event_loop_delay_seconds: {
    type: "histogram",
    unit: "seconds",
    help: "How late a timer ran: for so long the gateway could do nothing else. Measured ten times a second.",
    labels: {},
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  telltale_process_cpu_seconds_total: {
    type: "counter",
    unit: "seconds",
    help: "Processor time that the process took, user and system.",
    labels: {},
  },
  telltale_process_resident_memory_bytes: {
    type: "gauge",
    unit: "bytes",
    help: "Memory of the process that lies in RAM.",
    labels: {},
  },
  telltale_process_start_time_seconds: {
    type: "gauge",
    unit: "seconds",
    help: "When the process began, in seconds since 1970.",
    labels: {},
  },
} as const satisfies Readonly<Record<string, Metric>>;

export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  /** The thing that is counted or measured. */
  readonly unit: string;
  readonly help: string;
  /**
   * Each label with every value that it may have, so that the number of series is bounded. `constant`: any text, but the
   * same one for as long as the process lives.
   */
  readonly labels: Readonly<Record<string, readonly string[] | "constant">>;
  /** Upper bounds of the buckets of a histogram, rising. */
  readonly buckets?: readonly number[];
}

/** How a client is served. */
export type Transport = (typeof TRANSPORTS)[number];
