/*
 * The time of an append, as it travels behind the text of an event to the gateways: the last bits of the milliseconds of
 * the broker's clock, a blank for each 0 and a tab for each 1. JSON takes both for nothing. So a gateway of a former
 * release, which knows no stamp, passes the text on as it is, and its clients read the same event.
 */

const BITS = 20;
const RANGE = 2 ** BITS;
const TAB = 9;
const CLOSING_BRACE = 125;

/** The stamp of a hexadecimal digit. The script that appends on Redis makes stamps of these. */
export const STAMPS_OF_DIGITS: readonly string[] = Array.from({ length: 16 }, (_, digit) =>
  digit.toString(2).padStart(4, "0").replaceAll("0", " ").replaceAll("1", "\t"),
);

/** `milliseconds` since 1970 by the broker's clock, to be written behind the text. */
export function appendStamp(milliseconds: number): string {
  const digits = (milliseconds % RANGE).toString(16).padStart(BITS / 4, "0");
  return Array.from(digits, (digit) => STAMPS_OF_DIGITS[Number.parseInt(digit, 16)]).join("");
}

/** The text of an event without its stamp. It ends with a brace. */
export function withoutStamp(text: string): string {
  return isStamped(text) ? text.slice(0, -BITS) : text;
}

/**
 * How many milliseconds ago the event was appended, when the broker's clock shows `brokerNow`; undefined if the text has
 * no stamp. Never less than 0: the clock is known a little less exactly than it is read. At most about nine minutes.
 */
export function ageOfStamped(text: string, brokerNow: number): number | undefined {
  if (!isStamped(text)) return undefined;
  let stamp = 0;
  for (let at = text.length - BITS; at < text.length; at++)
    stamp = stamp * 2 + (text.charCodeAt(at) === TAB ? 1 : 0);
  const age = (((brokerNow - stamp) % RANGE) + RANGE) % RANGE;
  return age < RANGE / 2 ? age : 0;
}

function isStamped(text: string): boolean {
  return text.length > BITS && text.charCodeAt(text.length - 1) !== CLOSING_BRACE;
}
