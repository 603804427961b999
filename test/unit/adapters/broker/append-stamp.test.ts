import { describe, expect, test } from "bun:test";
import {
  ageOfStamped,
  appendStamp,
  STAMPS_OF_DIGITS,
  withoutStamp,
} from "../../../../src/adapters/broker/append-stamp.ts";

describe("the stamp of an append", () => {
  const text = '{"event_id":"e1-1","event_type":"status_update","message":"a\\tb"}';
  const now = Date.UTC(2026, 10, 28, 15, 0, 0, 123);
  const stamped = text + appendStamp(now);

  test("MET-4: tells how long ago the broker appended the event, by the broker's clock", () => {
    expect(ageOfStamped(stamped, now)).toBe(0);
    expect(ageOfStamped(stamped, now + 1)).toBe(1);
    expect(ageOfStamped(stamped, now + 2.5)).toBe(2.5);
    for (const age of [999, 30_000, 500_000]) expect(ageOfStamped(stamped, now + age)).toBe(age);
  });

  test("MET-4: tells the age over the end of the range of stamps", () => {
    const last = 2 ** 20 * 1_000_000 - 1;
    expect(ageOfStamped(text + appendStamp(last), last + 10)).toBe(10);
  });

  test("MET-4: is never negative, however wrong the clock is", () => {
    for (const early of [0.4, 1, 60_000, 500_000]) expect(ageOfStamped(stamped, now - early)).toBe(0);
    for (let wrong = -4_000_000; wrong < 4_000_000; wrong += 7_919)
      expect(ageOfStamped(stamped, now + wrong)).toBeGreaterThanOrEqual(0);
  });

  test("is nothing in JSON: a gateway of a former release passes on the same event, on one line", () => {
    expect(JSON.parse(stamped)).toEqual(JSON.parse(text));
    expect(stamped).not.toMatch(/[\r\n]/);
  });

  test("leaves the text of the event as it was, with a stamp or without", () => {
    expect(withoutStamp(stamped)).toBe(text);
    expect(withoutStamp(text)).toBe(text);
    expect(ageOfStamped(text, now)).toBeUndefined();
  });

  test("has a piece of its own for each hexadecimal digit", () => {
    expect(new Set(STAMPS_OF_DIGITS).size).toBe(16);
    expect(STAMPS_OF_DIGITS[5]).toBe(" \t \t");
  });
});
