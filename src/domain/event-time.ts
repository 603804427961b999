const TIME =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(?:[Zz]|([+-])(\d{2})(?::?(\d{2})|:(\d{2}):(\d{2}))?)?$/;

/**
 * Reads a time as ISO 8601 or Python's `str(datetime)` spells it and returns it as `YYYY-MM-DDTHH:MM:SS[.fraction]Z`;
 * undefined where the text is no such time, or falls outside the years 1 to 9999. Seconds may be left out, a time
 * without a zone is UTC, and a fraction is kept digit by digit: `Date` would cut Python's microseconds.
 */
export function normaliseTime(text: string): string | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second = "00", fraction = "", sign, hours] = match;
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
  const utcYear = date.getUTCFullYear();
  return utcYear < 1 || utcYear > 9999 ? undefined : `${date.toISOString().slice(0, 19)}${fraction}Z`;
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
