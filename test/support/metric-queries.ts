import { METRICS, type Metric } from "../../src/application/ports/metric-catalogue.ts";

const METRIC = /\btelltale_\w+/g;
/** The metrics that Prometheus writes for each target by itself. */
const OWN_OF_PROMETHEUS: readonly string[] = ["up"];
/** The labels that Prometheus adds, and the one of a histogram. */
const ADDED = ["instance", "job", "le"];

/** The metrics of the catalogue that a query of Prometheus names, without the suffixes of histograms. */
export function metricsIn(query: string): string[] {
  return (query.match(METRIC) ?? []).map((name) => nameOf(name) ?? name);
}

/** Everything in a query of Prometheus that the catalogue does not have, or that its type does not allow. */
export function faultsOfQuery(query: string): string[] {
  const faults: string[] = [];
  const known: string[] = [];
  for (const [, name = ""] of query.matchAll(/\b([a-zA-Z_:][\w:]*)\s*[{[]/g))
    if (!OWN_OF_PROMETHEUS.includes(name) && !name.startsWith("telltale_"))
      faults.push(`${name} is no metric`);
  for (const [, before = "", name = "", matchers = ""] of query.matchAll(
    /(\w+\(\s*)?\b(telltale_\w+)(?:\{([^}]*)\})?/g,
  )) {
    const metric = metricOf(name);
    if (metric === undefined) {
      faults.push(`${name} is no metric`);
      continue;
    }
    known.push(...Object.keys(metric.labels));
    const isRate = /^(?:rate|increase)\(/.test(before);
    if (isRate !== (metric.type !== "gauge")) faults.push(`${name} is a ${metric.type}: ${before}`);
    for (const [, label = "", , value = ""] of matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g))
      faults.push(...faultsOfMatcher(name, metric, label, value));
  }
  for (const [, labels = ""] of query.matchAll(/\bby\s*\(([^)]*)\)/g)) {
    for (const label of labels.split(",").map((one) => one.trim()))
      if (![...ADDED, ...known].includes(label)) faults.push(`by (${label}): no metric of the query has it`);
  }
  return faults;
}

function faultsOfMatcher(name: string, metric: Metric, label: string, value: string): string[] {
  if (ADDED.includes(label)) return [];
  const values = metric.labels[label];
  if (values === undefined) return [`${name} has no label ${label}`];
  if (values === "constant") return [];
  return value
    .split("|")
    .flatMap((one) => (values.includes(one) ? [] : [`${name}: ${label} is never ${one}`]));
}

function metricOf(name: string): Metric | undefined {
  const found = nameOf(name);
  return found === undefined ? undefined : METRICS[found];
}

function nameOf(name: string): keyof typeof METRICS | undefined {
  if (name in METRICS) {
    const known = name as keyof typeof METRICS;
    return METRICS[known].type === "histogram" ? undefined : known;
  }
  const base = name.replace(/_(?:bucket|sum|count)$/, "") as keyof typeof METRICS;
  return base !== name && base in METRICS && METRICS[base].type === "histogram" ? base : undefined;
}
