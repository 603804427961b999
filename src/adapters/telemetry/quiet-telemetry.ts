import { MetricStore } from "../../application/metric-store.ts";
import type { LogFields, LogLevel, TelemetryPort } from "../../application/ports/telemetry-port.ts";

/** Writes no line, and keeps the metrics in memory. */
export class QuietTelemetry extends MetricStore implements TelemetryPort {
  log(_level: LogLevel, _message: string, _fields?: LogFields): void {}
}
