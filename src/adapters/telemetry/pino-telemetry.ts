import pino, { type Logger } from "pino";
import { MetricStore } from "../../application/metric-store.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { LogFields, LogLevel, TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { LineLimit } from "./line-limit.ts";

/** Writes one JSON line a message to standard error, its level by name, and keeps the metrics in memory. */
export class PinoTelemetry extends MetricStore implements TelemetryPort {
  readonly #logger: Logger;
  readonly #lines: LineLimit;

  /** Lines below `level` are not written. */
  constructor(level: LogLevel, clock: ClockPort) {
    super();
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

  /** Writes how many lines were left out until now. To be called at the end of the process. */
  flush(): void {
    this.#lines.flush();
  }
}
