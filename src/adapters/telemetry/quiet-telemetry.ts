import type { LogFields, LogLevel, TelemetryPort } from "../../application/ports/telemetry-port.ts";

/** Tells nobody anything: for programs that do not run as a gateway. */
export class QuietTelemetry implements TelemetryPort {
  log(_level: LogLevel, _message: string, _fields?: LogFields): void {}
  count(): void {}
  set(): void {}
  observe(): void {}
}
