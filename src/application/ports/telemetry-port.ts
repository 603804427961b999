import type { CounterName, GaugeName, HistogramName, LabelsOf } from "./metric-names.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * Tells operators what a gateway does, by log lines and by the metrics of the catalogue. No method throws or blocks. No
 * method is given a token or the body of an event: an adapter may write everything that it is given.
 */
export interface TelemetryPort {
  /**
   * Writes a line. `message` is a constant; everything that differs from line to line is in `fields`. An adapter may leave
   * lines out and count them if the same message comes often, apart for each `kind` in the fields. It may cut long
   * values.
   */
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** Adds `by` to a counter, 1 if left out. */
  count<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  /** Sets a gauge to its present value, in the unit of the catalogue. */
  set<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Adds a measurement to a histogram, in the unit of the catalogue: `times` alike, 1 if left out. */
  observe<Name extends HistogramName>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number,
    times?: number,
  ): void;
}
