import { BrokerUnavailable, TelltaleError } from "../application/errors.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import { reasonOf } from "../application/reason-of.ts";

/**
 * Logs what ended one connection: a fault of our own is an error, one of the broker a warning. That the broker is away
 * was said once, by whoever noticed: not again for each client.
 */
export function logFault(telemetry: TelemetryPort, error: unknown): void {
  const expected = error instanceof TelltaleError;
  const level = error instanceof BrokerUnavailable ? "debug" : "warn";
  telemetry.log(expected ? level : "error", "a connection could not be served", {
    code: expected ? error.code : "internal",
    message: reasonOf(error),
  });
}
