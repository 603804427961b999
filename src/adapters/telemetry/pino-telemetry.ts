import pino, { type Logger } from "pino";
import { MetricStore } from "../../application/metric-store.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { LogFields, LogLevel, TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { LineLimit } from "./line-limit.ts";
import { textLine } from "./text-line.ts";

interface LogOptions {
  /** Lines below it are not written. */
  readonly level: LogLevel;
  readonly format: "json" | "text";
}

/** Writes one line a message to standard error, its level by name, and keeps the metrics in memory. */
export class PinoTelemetry extends MetricStore implements TelemetryPort {
  readonly #logger: Logger;
  readonly #lines: LineLimit;

  constructor({ level, format }: LogOptions, clock: ClockPort) {
    super();
    const output = pino.destination({ fd: 2, sync: true });
    this.#logger = pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (name) => ({ level: name }) },
      },
      output,
    );
    const write = (at: LogLevel, message: string, fields: LogFields): void => {
      if (format === "json") this.#logger[at](fields, message);
      else output.write(textLine({ time: clock.now(), level: at, message, fields }));
    };
    this.#lines = new LineLimit(clock, write);
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (this.#logger.isLevelEnabled(level)) this.#lines.log(level, message, fields);
  }

  /** Writes how many lines were left out until now. To be called at the end of the process. */
  flush(): void {
    this.#lines.flush();
  }
}
