import pino, { type Logger } from "pino";
import type { LogFields, LogLevel, TelemetryPort } from "../../application/ports/telemetry-port.ts";

/** One JSON line a message on standard error, its level by name, and counters that `/ws/health` shows. */
export class PinoTelemetry implements TelemetryPort {
  readonly #logger: Logger;
  readonly #counters = new Map<string, number>();

  constructor(level: LogLevel) {
    this.#logger = pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (name) => ({ level: name }) },
      },
      pino.destination({ fd: 2, sync: true }),
    );
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#logger[level](fields, message);
  }

  count(name: string, by = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counters);
  }
}
