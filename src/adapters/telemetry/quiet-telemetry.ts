import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";

/** Tells nobody: for tests and programs that have no use for it. */
export class QuietTelemetry implements TelemetryPort {
  log(): void {}

  count(): void {}
}
