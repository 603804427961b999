import { describe, expect, test } from "bun:test";
import { PrometheusExposition } from "../../../../src/adapters/telemetry/prometheus-exposition.ts";
import { METRICS, type Metric } from "../../../../src/application/ports/metric-catalogue.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";

describe("PrometheusExposition", () => {
  const exposed = async (use: (telemetry: CollectingTelemetry) => void = () => {}) => {
    const telemetry = new CollectingTelemetry();
    const text = await new PrometheusExposition(telemetry, () => use(telemetry)).text();
    return text.split("\n");
  };

  test("MET-1: names every metric of the catalogue with its help and type", async () => {
    const lines = await exposed();
    for (const [name, { help, type }] of Object.entries(METRICS)) {
      expect(lines).toContain(`# HELP ${name} ${help}`);
      expect(lines).toContain(`# TYPE ${name} ${type}`);
    }
  });

  test("MET-1: counters begin at 0, for every set of labels, and gauges when they are set", async () => {
    const lines = await exposed();
    expect(lines).toContain('telltale_publish_total{lane="bare",outcome="lost"} 0');
    expect(lines).toContain("telltale_feed_restarts_total 0");
    expect(lines).toContain("telltale_delivery_seconds_count 0");
    expect(lines.filter((line) => line.startsWith("telltale_inbox_entries"))).toEqual([]);
  });

  test("MET-1: buckets of a histogram add up, with sum and count, and gauges are set when it is asked", async () => {
    const lines = await exposed((telemetry) => {
      telemetry.observe("telltale_delivery_seconds", {}, 0.002, 3);
      telemetry.observe("telltale_delivery_seconds", {}, 0.25);
      telemetry.observe("telltale_delivery_seconds", {}, 60);
      telemetry.set("telltale_inbox_entries", {}, 7);
      telemetry.count("telltale_publish_total", { lane: "bare", outcome: "lost" });
    });
    for (const line of [
      'telltale_delivery_seconds_bucket{le="0.001"} 0',
      'telltale_delivery_seconds_bucket{le="0.0025"} 3',
      'telltale_delivery_seconds_bucket{le="0.1"} 3',
      'telltale_delivery_seconds_bucket{le="0.25"} 4',
      'telltale_delivery_seconds_bucket{le="30"} 4',
      'telltale_delivery_seconds_bucket{le="+Inf"} 5',
      "telltale_delivery_seconds_sum 60.256",
      "telltale_delivery_seconds_count 5",
      "telltale_inbox_entries 7",
      'telltale_publish_total{lane="bare",outcome="lost"} 1',
    ])
      expect(lines).toContain(line);
    expect(
      lines.filter((line) => line.startsWith('telltale_publish_total{lane="bare",outcome="lost"}')),
    ).toHaveLength(1);
  });

  test("MET-2: the number of series is bounded by the catalogue, and small", () => {
    let series = 0;
    for (const { labels, buckets = [] } of Object.values(METRICS) as Metric[]) {
      const sets = Object.values(labels).reduce(
        (all, values) => all * (values === "constant" ? 1 : values.length),
        1,
      );
      series += sets * (buckets.length === 0 ? 1 : buckets.length + 3);
    }
    expect(series).toBeLessThan(300);
  });
});
