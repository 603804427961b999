import { kombuValue } from "./kombu-value.ts";

const TIME =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(?:[Zz]|([+-])(\d{2})(?::?(\d{2})|:(\d{2}):(\d{2}))?)?$/;
/** The longest text of a time. */
const MOST_CHARACTERS = 64;
/** Nanoseconds. A time is kept for each change of stage, so its length must have an end. */
const FRACTION_DIGITS = 9;
/** The text of a time, as JSON Schema has it; days that no month has are not seen there. */
export const TIME_TEXT = { maxLength: MOST_CHARACTERS, pattern: TIME.source } as const;
/** As seconds the year 5138, as milliseconds 1973: from here on a number counts milliseconds. */
const FIRST_MILLISECONDS = 1e11;

/**
 * Reads a time as publishers send it: text as `normaliseTime` reads it, a JSON number (seconds since 1970; from 1e11 on
 * milliseconds), or a datetime as kombu writes it. Undefined if it is none of these.
 */
export function readTime(value: unknown): string | undefined {
  if (typeof value === "number") return fromNumber(value);
  const text = kombuValue(value, "datetime") ?? value;
  return typeof text === "string" ? normaliseTime(text) : undefined;
}

/**
 * Reads a time as ISO 8601 or Python's `str(datetime)` spells it and returns it as `YYYY-MM-DDTHH:MM:SS[.fraction]Z`;
 * undefined if the text is no such time, is longer than 64 characters, or falls outside the years 1 to 9999. Seconds may
 * be left out, and a time without a zone is UTC. A fraction keeps nine digits as written: `Date` would cut Python's
 * microseconds.
 */
export function normaliseTime(text: string): string | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second = "00", digits = "", sign, hours] = match;
  const fraction = digits.slice(0, 1 + FRACTION_DIGITS);
  const minutes = match[10] ?? match[11] ?? "00";
  if (!isCalendarDay(Number(year), Number(month), Number(day))) return undefined;
  if (!isTimeOfDay(hour, minute, second)) return undefined;
  if (!isTimeOfDay(hours ?? "00", minutes, match[12] ?? "00")) return undefined;
  const offset = (Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(match[12] ?? 0);
  if (offset === 0) {
    return year === "0000" ? undefined : `${year}-${month}-${day}T${hour}:${minute}:${second}${fraction}Z`;
  }
  // Date.UTC() takes the years 0 to 99 for 1900 to 1999; the setters do not.
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second) - (sign === "-" ? -offset : offset));
  return toSecond(date, fraction);
}

function fromNumber(value: number): string | undefined {
  if (value >= FIRST_MILLISECONDS) return fromSeconds(Math.floor(value / 1000), millisecondsOf(value));
  const decimals = decimalsOf(value);
  return fromSeconds(Math.floor(value), value < 0 ? complementOf(decimals) : decimals);
}

function fromSeconds(seconds: number, decimals: string): string | undefined {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  return toSecond(date, decimals === "" ? "" : `.${decimals.slice(0, FRACTION_DIGITS)}`);
}

function millisecondsOf(value: number): string {
  return `${Math.floor(value) % 1000}`.padStart(3, "0") + decimalsOf(value);
}

/** As JavaScript writes the number, which is as Python does: the shortest digits that mean it. */
function decimalsOf(value: number): string {
  const [digits = "", exponent = "0"] = String(Math.abs(value)).split("e");
  const [whole = "", decimals = ""] = digits.split(".");
  // Only numbers below 1e-6 and from 1e21 on have an exponent.
  if (exponent === "0") return decimals;
  return exponent.startsWith("-") ? "0".repeat(-Number(exponent) - 1) + whole + decimals : "";
}

/** Before 1970 a fraction counts from the second before: 0.25 becomes 0.75. */
function complementOf(decimals: string): string {
  if (decimals === "") return "";
  return `${10n ** BigInt(decimals.length) - BigInt(decimals)}`.padStart(decimals.length, "0");
}

function toSecond(date: Date, fraction: string): string | undefined {
  const year = date.getUTCFullYear();
  return year < 1 || year > 9999 ? undefined : `${date.toISOString().slice(0, 19)}${fraction}Z`;
}

function isTimeOfDay(hour: string | undefined, minute: string | undefined, second: string): boolean {
  return Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= 59;
}

function isCalendarDay(year: number, month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
