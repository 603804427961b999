import { type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";
import type { MetricStore, Series } from "../../application/metric-store.ts";
import { METRICS, type Metric } from "../../application/ports/metric-catalogue.ts";
import type { MetricName } from "../../application/ports/metric-names.ts";

/**
 * Writes the metrics of a store in the text format of Prometheus. The library reads the store when it is asked, so that
 * counting costs nothing of it. A counter or histogram that was never used is 0, so that its first increase shows.
 */
export class PrometheusExposition {
  readonly #registry = new Registry();
  readonly #refresh: () => void;

  /** `refresh` sets the gauges of the store; it is called before each answer. */
  constructor(store: MetricStore, refresh: () => void) {
    this.#refresh = refresh;
    for (const [name, metric] of Object.entries(METRICS) as [MetricName, Metric][]) {
      const get = async () => ({
        name,
        help: metric.help,
        type: metric.type,
        aggregator: "sum",
        values: valuesOf(name, metric, store),
      });
      // The registry asks a metric for nothing else, but its types want one of the library's own classes.
      this.#registry.registerMetric({ name, get } as unknown as Parameters<Registry["registerMetric"]>[0]);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    this.#refresh();
    return this.#registry.metrics();
  }
}

type Values = MetricObjectWithValues<MetricValue<string> & { metricName?: string }>["values"];

function valuesOf(name: MetricName, metric: Metric, store: MetricStore): Values {
  const used = store.series(name);
  const { buckets } = metric;
  const all = metric.type === "gauge" ? used : [...used, ...unused(metric, used)];
  if (buckets === undefined) return all.map(({ labels, value }) => ({ labels, value }));
  return all.flatMap((series) => bucketsOf(name, buckets, series));
}

function bucketsOf(name: MetricName, bounds: readonly number[], series: Series): Values {
  let upTo = 0;
  const { labels, value, updates } = series;
  return [
    ...bounds.map((bound, place) => {
      upTo += series.buckets[place] ?? 0;
      return { labels: { ...labels, le: bound }, value: upTo, metricName: `${name}_bucket` };
    }),
    { labels: { ...labels, le: "+Inf" }, value: updates, metricName: `${name}_bucket` },
    { labels, value, metricName: `${name}_sum` },
    { labels, value: updates, metricName: `${name}_count` },
  ];
}

/** The series of every set of labels that the catalogue allows and nobody used. */
function unused(metric: Metric, used: readonly Series[]): Series[] {
  let sets: Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(metric.labels)) {
    if (values === "constant") return [];
    sets = sets.flatMap((set) => values.map((value) => ({ ...set, [label]: value })));
  }
  const names = Object.keys(metric.labels);
  const isUsed = (set: Record<string, string>) =>
    used.some(({ labels }) => names.every((label) => labels[label] === set[label]));
  return sets.filter((set) => !isUsed(set)).map((labels) => ({ labels, value: 0, updates: 0, buckets: [] }));
}
