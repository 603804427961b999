import { TelltaleError } from "../application/errors.ts";
import { faultLevel } from "../application/fault-level.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import { reasonOf } from "../application/reason-of.ts";

/** Logs what ended one connection. */
export function logFault(telemetry: TelemetryPort, error: unknown): void {
  const expected = error instanceof TelltaleError;
  telemetry.log(faultLevel(error), "a connection could not be served", {
    code: expected ? error.code : "internal",
    message: reasonOf(error),
  });
}
