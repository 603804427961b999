import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { LogFields, LogLevel } from "../../application/ports/telemetry-port.ts";
import { shortened } from "../../domain/utf8.ts";

/** The most lines of one message and kind within a window. Further lines are only counted. */
export const MOST_LINES = 20;
export const WINDOW_MS = 10_000;
/** The most bytes of a message, and of each of its fields. */
const MOST_BYTES = 1024;

type Write = (level: LogLevel, message: string, fields: LogFields) => void;

/**
 * Keeps a log small. It cuts each text to 1 KiB. It writes at most 20 lines of one message and kind in 10 seconds, then
 * one line with the number of lines left out. It leaves out no debug line.
 */
export class LineLimit {
  readonly #clock: ClockPort;
  readonly #write: Write;
  readonly #windows = new Map<string, Window>();

  constructor(clock: ClockPort, write: Write) {
    this.#clock = clock;
    this.#write = write;
  }

  log(level: LogLevel, message: string, fields: LogFields): void {
    if (level !== "debug" && !this.#window(level, message, fields.kind).takes()) return;
    this.#write(level, shortened(message, MOST_BYTES), shortenedValues(fields));
  }

  /** Writes now how many lines were left out. */
  flush(): void {
    for (const window of [...this.#windows.values()]) window.end();
  }

  #window(level: LogLevel, message: string, kind: LogFields[string]): Window {
    const name = `${level} ${kind ?? ""} ${message}`;
    const found = this.#windows.get(name);
    if (found !== undefined) return found;
    const cancel = this.#clock.after(WINDOW_MS, () => window.end());
    const window = new Window((more) => {
      cancel();
      this.#windows.delete(name);
      if (more === 0) return;
      const fields = { ...(kind === undefined ? {} : { kind }), more, seconds: WINDOW_MS / 1_000 };
      this.#write(level, shortened(`${message}: and ${more} more`, MOST_BYTES), shortenedValues(fields));
    });
    this.#windows.set(name, window);
    return window;
  }
}

class Window {
  readonly #ended: (more: number) => void;
  #lines = 0;

  constructor(ended: (more: number) => void) {
    this.#ended = ended;
  }

  takes(): boolean {
    return ++this.#lines <= MOST_LINES;
  }

  end(): void {
    this.#ended(Math.max(0, this.#lines - MOST_LINES));
  }
}

function shortenedValues(fields: LogFields): LogFields {
  const short = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? shortened(value, MOST_BYTES) : value,
  ]);
  return Object.fromEntries(short);
}
