import { MetricStore } from "../application/metric-store.ts";
import type { LogFields, LogLevel, TelemetryPort } from "../application/ports/telemetry-port.ts";

/** Keeps everything that was logged, counted and measured. */
export class CollectingTelemetry extends MetricStore implements TelemetryPort {
  readonly logs: { readonly level: LogLevel; readonly message: string; readonly fields: LogFields }[] = [];

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.logs.push({ level, message, fields });
  }

  /** The counters of `/ws/health` that were used, by their names there. */
  get counts(): ReadonlyMap<string, number> {
    return new Map(Object.entries(this.healthCounters()));
  }
}
