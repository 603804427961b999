import { describe, expect, test } from "bun:test";
import { MetricStore } from "../../../src/application/metric-store.ts";
import { METRICS, type Metric } from "../../../src/application/ports/metric-catalogue.ts";
import type { TelemetryPort } from "../../../src/application/ports/telemetry-port.ts";

const metrics: readonly (readonly [string, Metric])[] = Object.entries(METRICS);

describe("the catalogue of metrics", () => {
  test("has a name, a help and labels for each metric, as Prometheus takes them", () => {
    for (const [name, { type, help, labels }] of metrics) {
      expect(name).toMatch(/^telltale_[a-z_]+$/);
      expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
      expect(help).toMatch(/^[A-Z0-9].*\.$/);
      for (const [label, values] of Object.entries(labels)) {
        expect(label).toMatch(/^[a-z_]+$/);
        if (values === "constant") continue;
        expect(new Set(values).size).toBe(values.length);
        for (const value of values) expect(value).toMatch(/^[a-z0-9_]+$/);
      }
    }
  });

  test("has rising bounds for each histogram, and for nothing else", () => {
    for (const [name, { type, buckets }] of metrics) {
      expect([name, buckets !== undefined]).toEqual([name, type === "histogram"]);
      expect([...(buckets ?? [])].sort((one, other) => one - other)).toEqual([...(buckets ?? [])]);
    }
  });

  test("refuses a wrong name, label or value when it is compiled", () => {
    const calls = (telemetry: TelemetryPort) => {
      // @ts-expect-error: no such metric
      telemetry.count("telltale_nothing_total", {});
      // @ts-expect-error: a gauge is set, not counted
      telemetry.count("telltale_inbox_entries", {});
      // @ts-expect-error: a label is missing
      telemetry.count("telltale_publish_total", { lane: "http" });
      // @ts-expect-error: no such value
      telemetry.count("telltale_publish_total", { lane: "pigeon", outcome: "stored" });
      // @ts-expect-error: no such label
      telemetry.count("telltale_resyncs_total", { reason: "hole", channel: "analysis:1" });
      // @ts-expect-error: a metric without labels
      telemetry.set("telltale_inbox_entries", { lane: "http" }, 1);
      // @ts-expect-error: a counter is not measured
      telemetry.observe("telltale_resyncs_total", { reason: "hole" }, 1);
    };
    expect(typeof calls).toBe("function");
  });
});

describe("MetricStore", () => {
  test("adds to a counter, apart for each set of labels, in whatever order they are given", () => {
    const store = new MetricStore();
    store.count("telltale_publish_total", { lane: "http", outcome: "stored" }, 3);
    store.count("telltale_publish_total", { outcome: "stored", lane: "http" });
    store.count("telltale_publish_total", { lane: "http", outcome: "duplicate" });
    expect(store.series("telltale_publish_total")).toMatchObject([
      { labels: { lane: "http", outcome: "stored" }, value: 4 },
      { labels: { lane: "http", outcome: "duplicate" }, value: 1 },
    ]);
  });

  test("keeps the last value of a gauge", () => {
    const store = new MetricStore();
    store.set("telltale_inbox_entries", {}, 7);
    store.set("telltale_inbox_entries", {}, 2);
    expect(store.series("telltale_inbox_entries")).toMatchObject([{ value: 2 }]);
  });

  test("counts each measurement of a histogram in the first bucket whose bound it does not exceed", () => {
    const store = new MetricStore();
    const { buckets } = METRICS.telltale_broker_round_trip_seconds;
    for (const seconds of [0, 0.001, 0.0011, 2.5, 3])
      store.observe("telltale_broker_round_trip_seconds", {}, seconds);
    const [series] = store.series("telltale_broker_round_trip_seconds");
    expect(series).toMatchObject({ updates: 5, value: expect.closeTo(5.5021) });
    const filled = new Map<number, number>([
      [0.001, 2],
      [0.0025, 1],
      [2.5, 1],
    ]);
    expect(series?.buckets).toEqual(buckets.map((bound) => filled.get(bound) ?? 0));
  });

  test("shows the counters of /ws/health by the names that they always had, once they were used", () => {
    const store = new MetricStore();
    expect(store.healthCounters()).toEqual({});
    for (const lane of METRICS.telltale_publish_total.labels.lane)
      for (const outcome of METRICS.telltale_publish_total.labels.outcome)
        store.count("telltale_publish_total", { lane, outcome });
    for (const [name, { type, labels }] of metrics) {
      if (type !== "counter" || name === "telltale_publish_total") continue;
      const given = Object.entries(labels).map(([label, values]) => [label, values[0] ?? ""]);
      store.count(name as "telltale_foreign_messages_total", Object.fromEntries(given), 2);
    }
    store.count("telltale_dead_letters_total", { reason: "invalid" });
    expect(store.healthCounters()).toEqual({
      events_published: 1,
      publishes_repeated: 1,
      bare_events_adopted: 1,
      bare_events_seen: 1,
      bare_events_left_to_others: 1,
      bare_events_lost: 1,
      inbox_events_adopted: 1,
      inbox_entries_seen: 1,
      inbox_failures: 2,
      dead_letters: 3,
      feed_heals: 2,
      feed_restarts: 2,
      broker_links_lost: 2,
      deaf_connections: 2,
      replicas_short: 2,
      foreign_messages: 2,
      subscriber_faults: 2,
    });
  });
});
