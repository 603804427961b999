import type { METRICS, Metric } from "./metric-catalogue.ts";

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
type Allowed<List> = List extends "constant"
  ? string
  : Extract<List extends readonly (infer Value)[] ? Value : never, string>;
