import type { LogFields, LogLevel, TelemetryPort } from "../application/ports/telemetry-port.ts";

/** Keeps what was logged and counted. */
export class CollectingTelemetry implements TelemetryPort {
  readonly logs: { readonly level: LogLevel; readonly message: string; readonly fields: LogFields }[] = [];
  readonly counts = new Map<string, number>();

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.logs.push({ level, message, fields });
  }

  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }
}
