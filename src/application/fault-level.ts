import { BrokerUnavailable, TelltaleError } from "./errors.ts";
import type { LogLevel } from "./ports/telemetry-port.ts";

/**
 * How loud the log of a failure is: a fault of our own is an error, one that was expected a warning. That the broker is
 * away was said once, by whoever noticed: not again for each client and channel.
 */
export function faultLevel(error: unknown): LogLevel {
  if (error instanceof BrokerUnavailable) return "debug";
  return error instanceof TelltaleError ? "warn" : "error";
}
