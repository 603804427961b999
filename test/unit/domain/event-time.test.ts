import { describe, expect, test } from "bun:test";
import { normaliseTime, readTime } from "../../../src/domain/event-time.ts";
import { laterTime } from "../../../src/domain/later-time.ts";
import { Seeded } from "./seeded.ts";

describe("EV-6: a time is normalised to ISO 8601 in UTC", () => {
  const accepted: [string, string][] = [
    ["2026-11-24T03:27:22Z", "2026-11-24T03:27:22Z"],
    ["2026-11-24t03:27:22z", "2026-11-24T03:27:22Z"],
    ["2026-11-24 03:27:22.785846+00:00", "2026-11-24T03:27:22.785846Z"],
    ["2026-11-24 03:27:22.785846", "2026-11-24T03:27:22.785846Z"],
    ["2026-11-24T03:27", "2026-11-24T03:27:00Z"],
    ["2026-11-24 03:27+01", "2026-11-24T02:27:00Z"],
    ["2026-11-24T03:27:22.1Z", "2026-11-24T03:27:22.1Z"],
    ["2026-11-24T03:27:22.000Z", "2026-11-24T03:27:22.000Z"],
    ["2026-11-24T03:27:22.123456789+02:00", "2026-11-24T01:27:22.123456789Z"],
    ["2026-11-24T03:27:22-00:00", "2026-11-24T03:27:22Z"],
    ["2026-11-24T03:27:22+0530", "2026-11-23T21:57:22Z"],
    ["2026-11-24T03:27:22+05:30", "2026-11-23T21:57:22Z"],
    ["2026-11-24T03:27:22-08", "2026-11-24T11:27:22Z"],
    ["2026-11-24T00:00:00+00:19:32", "2026-11-23T23:40:28Z"],
    ["2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z"],
    ["2026-11-24T00:00:00+23:59:59", "2026-11-23T00:00:01Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
    ["2000-02-29T12:00:00+12:00", "2000-02-29T00:00:00Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
    ["0099-03-01T00:30:00+01:00", "0099-02-28T23:30:00Z"],
    ["0001-01-01T00:00:00-01:00", "0001-01-01T01:00:00Z"],
    ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"],
    ["9999-12-31T23:59:59+01:00", "9999-12-31T22:59:59Z"],
  ];
  test.each(accepted)("%s becomes %s", (given, normalised) => {
    expect(normaliseTime(given)).toBe(normalised);
  });
});

describe("a text that is no time, or none on the calendar, is refused", () => {
  const refused = [
    "",
    " ",
    "now",
    "2026-11-24",
    "2026-11-24T",
    "2026-11-24T03",
    "03:27:22",
    "1795490842",
    "20261124T032722Z",
    "2026-W48-2T03:27:22Z",
    "2026-11-24T03:27:22.Z",
    "2026-11-24T03:27.5Z",
    "2026-11-24T03:27:22,5Z",
    "2026-11-24_03:27:22Z",
    "2026-11-24  03:27:22Z",
    " 2026-11-24T03:27:22Z",
    "2026-11-24T03:27:22Z\n",
    "2026-11-24T03:27:22 Z",
    "2026-11-24T03:27:22+1",
    "2026-11-24T03:27:22+01:0",
    "2026-11-24T03:27:22+0100:30",
    "2026-11-24T03:27:22+24:00",
    "2026-11-24T03:27:22+01:60",
    "2026-11-24T03:27:22+01:00:60",
    "2026-11-24T24:00:00Z",
    "2026-11-24T23:60:00Z",
    "2026-11-24T23:59:60Z",
    "2026-00-10T00:00:00Z",
    "2026-13-10T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-32T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "0000-12-31T23:59:59Z",
    "0001-01-01T00:30:00+01:00",
    "9999-12-31T23:30:00-01:00",
    "12026-01-01T00:00:00Z",
    "-2026-01-01T00:00:00Z",
    "٢٠٢٦-11-24T03:27:22Z",
  ];
  test.each(refused.map((text) => [text]))("%j", (text) => {
    expect(normaliseTime(text)).toBeUndefined();
  });
});

test("a conversion agrees with the platform's own for every month and many zones", () => {
  for (const year of [1970, 1999, 2000, 2024, 2026, 2100]) {
    for (let month = 1; month <= 12; month++) {
      for (const zone of ["+00:00", "+14:00", "-12:00", "+05:45", "-03:30"]) {
        const text = `${year}-${String(month).padStart(2, "0")}-28T21:45:10${zone}`;
        expect(normaliseTime(text)).toBe(new Date(text).toISOString().replace(".000Z", "Z"));
      }
    }
  }
});

describe("EV-12: a time has an end", () => {
  test("keeps nine digits of its fraction, in any zone", () => {
    for (const digits of [10, 18, 38]) {
      const fraction = "123456789987654321".repeat(3).slice(0, digits);
      expect(normaliseTime(`2026-11-24T03:27:22.${fraction}Z`)).toBe("2026-11-24T03:27:22.123456789Z");
      expect(normaliseTime(`2026-11-24T03:27:22.${fraction}+01:00`)).toBe("2026-11-24T02:27:22.123456789Z");
    }
  });

  test("64 characters are read, 65 are not", () => {
    const ofLength = (length: number) => `2026-11-24T03:27:22.${"9".repeat(length - 21)}Z`;
    expect(normaliseTime(ofLength(64))).toBe("2026-11-24T03:27:22.999999999Z");
    expect(normaliseTime(ofLength(65))).toBeUndefined();
    expect(normaliseTime(ofLength(900_000))).toBeUndefined();
  });
});

describe("EV-16: a time may be a number, or a datetime of kombu's", () => {
  const accepted: [unknown, string][] = [
    [0, "1970-01-01T00:00:00Z"],
    [-0, "1970-01-01T00:00:00Z"],
    [7, "1970-01-01T00:00:07Z"],
    [1.5, "1970-01-01T00:00:01.5Z"],
    [1e-7, "1970-01-01T00:00:00.0000001Z"],
    [2.5e-7, "1970-01-01T00:00:00.00000025Z"],
    [1e-300, "1970-01-01T00:00:00.000000000Z"],
    [-1, "1969-12-31T23:59:59Z"],
    [-1.5, "1969-12-31T23:59:58.5Z"],
    [-0.25, "1969-12-31T23:59:59.75Z"],
    [-1.95, "1969-12-31T23:59:58.05Z"],
    [-1e-7, "1969-12-31T23:59:59.9999999Z"],
    [-1e-300, "1969-12-31T23:59:59.999999999Z"],
    [-1795490842.785846, "1913-02-07T20:32:37.214154Z"],
    [1795490842, "2026-11-24T03:27:22Z"],
    [1795490842.785846, "2026-11-24T03:27:22.785846Z"],
    [1795490842.7858462, "2026-11-24T03:27:22.7858462Z"],
    [99_999_999_999, "5138-11-16T09:46:39Z"],
    [100_000_000_000, "1973-03-03T09:46:40.000Z"],
    [1795490842785, "2026-11-24T03:27:22.785Z"],
    [1795490842005, "2026-11-24T03:27:22.005Z"],
    [1795490842785.25, "2026-11-24T03:27:22.78525Z"],
    [253_402_300_799_999, "9999-12-31T23:59:59.999Z"],
    [-62_135_596_800, "0001-01-01T00:00:00Z"],
    [{ __type__: "datetime", __value__: "2026-11-27T10:00:00" }, "2026-11-27T10:00:00Z"],
    [{ __type__: "datetime", __value__: "2026-11-27T10:00:00.000123+02:00" }, "2026-11-27T08:00:00.000123Z"],
  ];
  test.each(accepted)("%j becomes %s", (given, normalised) => {
    expect(readTime(given)).toBe(normalised);
  });

  const refused: unknown[] = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    1e300,
    253_402_300_800_000,
    -62_135_596_801,
    -1e15,
    [1795490842],
    { __type__: "datetime", __value__: ["2026-11-27T10:00:00"] },
    { __type__: "uuid", __value__: "2026-11-27T10:00:00" },
    { __value__: "2026-11-27T10:00:00" },
  ];
  test.each(refused.map((given) => [given]))("%p is none", (given) => {
    expect(readTime(given)).toBeUndefined();
  });
});

test("EV-17: the later of two times is told by their instants, whatever the length of their fractions", () => {
  const random = new Seeded(3);
  const time = () => {
    const fraction = random.pick(["", ".0", ".5", ".50", ".05", ".499999999", ".000000001"]);
    return `2026-11-24T03:27:2${random.below(3)}${fraction}Z`;
  };
  const instant = (text: string) => Number(text.slice(17, -1));
  for (let run = 0; run < 1_000; run++) {
    const [one, other] = [time(), time()];
    const later = laterTime(one, other);
    expect([one, other]).toContain(later);
    expect(instant(later)).toBe(Math.max(instant(one), instant(other)));
  }
});
