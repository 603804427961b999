import type { LogFields, LogLevel } from "../../application/ports/telemetry-port.ts";

interface Line {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A line of the log for people: time of day (UTC), level, message, then the fields as `name=value`. */
export function textLine({ time, level, message, fields }: Line): string {
  const words = [
    new Date(time).toISOString().slice(11, 23),
    level.toUpperCase().padEnd(5),
    printable(message),
  ];
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) words.push(`${name}=${typeof value === "string" ? quoted(value) : value}`);
  return `${words.join(" ")}\n`;
}

/** Quoted as JSON has it, if a reader could not tell where the value ends. */
function quoted(value: string): string {
  return /^[^\s"=\p{C}]+$/u.test(value) ? value : printable(JSON.stringify(value));
}

/** Without characters that a terminal would act on. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, (character) =>
    JSON.stringify(`\\u{${character.codePointAt(0)?.toString(16)}}`).slice(2, -1),
  );
}
