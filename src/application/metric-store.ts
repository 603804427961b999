import { HEALTH_COUNTERS, type HealthCounter } from "./health-counters.ts";
import { METRICS, type Metric } from "./ports/metric-catalogue.ts";
import type { CounterName, GaugeName, HistogramName, MetricName } from "./ports/metric-names.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

type Labels = Readonly<Record<string, string>>;

/** One series of a metric: its labels with their values, and what was counted, set or measured last. */
export interface Series {
  readonly labels: Labels;
  /** The sum of a counter or a histogram; the last value of a gauge. */
  readonly value: number;
  /** How often it was counted, set or measured. */
  readonly updates: number;
  /** Measurements up to and including each bound of the catalogue, without those of lower bounds; else empty. */
  readonly buckets: readonly number[];
}

/** The metrics since the start, in memory. The telemetry of a process and that of a test are built on it. */
export class MetricStore implements Omit<TelemetryPort, "log"> {
  readonly #series = new Map<MetricName, Map<string, MutableSeries>>();

  count(name: CounterName, labels: Labels, by = 1): void {
    const series = this.#of(name, labels);
    series.value += by;
    series.updates++;
  }

  set(name: GaugeName, labels: Labels, value: number): void {
    const series = this.#of(name, labels);
    series.value = value;
    series.updates++;
  }

  observe(name: HistogramName, labels: Labels, value: number, times = 1): void {
    const series = this.#of(name, labels);
    series.value += value * times;
    series.updates += times;
    const bucket = METRICS[name].buckets.findIndex((bound) => value <= bound);
    if (bucket !== -1) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + times;
  }

  /** Every series of a metric that was used, in the order of its first use. */
  series(name: MetricName): readonly Series[] {
    return [...(this.#series.get(name)?.values() ?? [])];
  }

  /** The counters of `/ws/health` by their names there. A counter that was never used is left out. */
  healthCounters(): Readonly<Partial<Record<HealthCounter, number>>> {
    return Object.fromEntries(
      Object.entries(HEALTH_COUNTERS).flatMap(([name, { counter, labels }]) => {
        const all = this.#series.get(counter);
        const chosen = labels === undefined ? [...(all?.values() ?? [])] : [all?.get(keyOf(counter, labels))];
        const used = chosen.filter((series) => series !== undefined);
        return used.length === 0 ? [] : [[name, used.reduce((sum, { value }) => sum + value, 0)] as const];
      }),
    );
  }

  #of(name: MetricName, labels: Labels): MutableSeries {
    const all = this.#series.get(name) ?? new Map<string, MutableSeries>();
    this.#series.set(name, all);
    const key = keyOf(name, labels);
    const known = all.get(key);
    if (known !== undefined) return known;
    const bounds = (METRICS[name] as Metric).buckets ?? [];
    const created = { labels, value: 0, updates: 0, buckets: bounds.map(() => 0) };
    all.set(key, created);
    return created;
  }
}

interface MutableSeries extends Series {
  value: number;
  updates: number;
  readonly buckets: number[];
}

/** The same for the same labels, in whatever order they were given. No value of the catalogue holds a space. */
function keyOf(name: MetricName, labels: Labels): string {
  let key = "";
  for (const label in METRICS[name].labels) key += ` ${labels[label]}`;
  return key;
}
