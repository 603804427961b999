import { TelltaleError } from "../application/errors.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import { reasonOf } from "../application/reason-of.ts";

/** Logs what ended one connection: a fault of our own is an error, a broker that is away a warning. */
export function logFault(telemetry: TelemetryPort, error: unknown): void {
  const expected = error instanceof TelltaleError;
  telemetry.log(expected ? "warn" : "error", "a connection could not be served", {
    code: expected ? error.code : "internal",
    message: reasonOf(error),
  });
}
