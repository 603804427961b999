import pino, { type Logger } from "pino";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { LogFields, LogLevel, TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { LineLimit } from "./line-limit.ts";

/** One JSON line a message on standard error, its level by name, and counters that `/ws/health` shows. */
export class PinoTelemetry implements TelemetryPort {
  readonly #logger: Logger;
  readonly #counters = new Map<string, number>();

  readonly #lines: LineLimit;

  constructor(level: LogLevel, clock: ClockPort) {
    this.#logger = pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (name) => ({ level: name }) },
      },
      pino.destination({ fd: 2, sync: true }),
    );
    this.#lines = new LineLimit(clock, (at, message, fields) => this.#logger[at](fields, message));
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#lines.log(level, message, fields);
  }

  /** Says what was left out until now; at the end of the process. */
  flush(): void {
    this.#lines.flush();
  }

  count(name: string, by = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counters);
  }
}
