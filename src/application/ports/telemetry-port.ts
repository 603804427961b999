export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * What the core tells its operators. Neither method throws or blocks, and neither is given a token or the body of
 * an event: whatever is passed may be written to a log.
 */
export interface TelemetryPort {
  /**
   * `message` is a constant: what differs from line to line stands in the fields. Of one message much in a short time
   * is left out and counted, apart for each `kind` of the fields; a long value is cut.
   */
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** Adds to a named counter: snake_case, without prefix, as `dead_letters`. */
  count(name: string, by?: number): void;
}
