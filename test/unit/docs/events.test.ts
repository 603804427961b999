import { describe, expect, test } from "bun:test";
import type { StatusUpdate } from "../../../src/domain/analysis-event.ts";
import { analysisChannel, type ChannelName, parseAnalysisId } from "../../../src/domain/channel.ts";
import { type Counts, countsOf } from "../../../src/domain/counts.ts";
import { decodeEvent, decodeEvents } from "../../../src/domain/decode-event.ts";
import { EVENT_RULES } from "../../../src/domain/event-rules.ts";
import { readTime } from "../../../src/domain/event-time.ts";
import { STAGES } from "../../../src/domain/stages.ts";
import { readDocument, sectionOf, snippetsIn, tablesIn } from "../../support/documents.ts";

type EventType = keyof typeof EVENT_RULES;

interface Row {
  readonly field: string;
  readonly type: string;
  readonly leftOut: string;
}

const page = readDocument("docs/EVENTS.md");
const ID = parseAnalysisId("0f8fad5b-d9cb-469f-a165-70867728950e");
const now = Date.UTC(2026, 10, 24);
const types = Object.keys(EVENT_RULES) as EventType[];
/** Values that a type takes, each with the value that clients get, and values that it refuses. */
const TYPES: Readonly<Record<string, { takes: [unknown, unknown][]; refuses: unknown[] }>> = {
  "text that is not blank": { takes: [["a", "a"]], refuses: ["", " \n", 1, null] },
  "text that is not blank, or a UUID": {
    takes: [
      ["a", "a"],
      [{ __type__: "uuid", __value__: ID }, ID],
    ],
    refuses: ["", 1, null],
  },
  "text or null": { takes: ["a", "", null].map((value) => [value, value]), refuses: [1, {}] },
  "text of 1 to 64 characters": {
    takes: ["a", "a".repeat(64), "🎬".repeat(64)].map((value) => [value, value]),
    refuses: ["", "a".repeat(65), 1, null],
  },
  "number from 0 to 1": {
    takes: [
      [0, 0],
      [0.5, 0.5],
      [1, 1],
      [1.0000009, 1],
      [-0.0000009, 0],
    ],
    refuses: [1.00001, -0.00001, "0.5", null],
  },
  "whole number, 0 or more": {
    takes: [0, 7, 1000].map((value) => [value, value]),
    refuses: [-1, 0.5, "1", null],
  },
  "whole number, `frames_processed` or more": {
    takes: [1000, 1001].map((value) => [value, value]),
    refuses: [999, 1000.5, "1000", null],
  },
  "true or false": { takes: [true, false].map((value) => [value, value]), refuses: [0, "true", null] },
  time: { takes: [["2026-11-24 03:27:22", "2026-11-24T03:27:22Z"]], refuses: ["yesterday", null] },
  "time or null": {
    takes: [
      ["2026-11-24 03:27:22", "2026-11-24T03:27:22Z"],
      [null, null],
    ],
    refuses: ["yesterday", true],
  },
  stage: {
    takes: [...STAGES, "queued", "cancelled"].map((stage) => [stage, stage]),
    refuses: ["demux", "", null],
  },
  "any value but null": { takes: [0, "", [], { a: [1] }].map((value) => [value, value]), refuses: [null] },
  "object or null": { takes: [{ a: [1] }, {}, null].map((value) => [value, value]), refuses: [[], "a", 1] },
  "array of regions": { takes: [[[], []]], refuses: [[{}], {}, null] },
  "`info`, `warning` or `error`": {
    takes: ["info", "warning", "error"].map((value) => [value, value]),
    refuses: ["fatal", null],
  },
  "hexadecimal text, with or without `0x`, or null; blank text becomes null": {
    takes: [
      ["0xaF09", "0xaF09"],
      ["af09", "af09"],
      [" ", null],
      [null, null],
    ],
    refuses: ["0x", "xyz", 1],
  },
  "text; blank text becomes the `error_code`, 1 KiB of it at most": {
    takes: [
      ["a", "a"],
      [" ", "out_of_memory"],
    ],
    refuses: [1, null],
  },
};

/** Values that count, and values that are passed on and do not. */
const COUNTS: typeof TYPES = {
  "number, 0 or more; any other value is no count": {
    takes: [0, 0.5, 1e21].map((value) => [value, value]),
    refuses: [-1, "7", null, {}],
  },
  "text of at most 32 characters; any other value is no count": {
    takes: ["", "frames", "🎬".repeat(32)].map((value) => [value, value]),
    refuses: ["f".repeat(33), 7, null],
  },
};

describe("docs/EVENTS.md", () => {
  test.each(types)("lists every field of %s, and no other", (type) => {
    const listed = rowsOf(type).map(({ field }) => field);
    const common = rowsOf("Every event").map(({ field }) => field);
    const ruled = Object.keys(EVENT_RULES[type].shape);
    expect(listed).toEqual(expect.arrayContaining(ruled.filter((field) => !common.includes(field))));
    expect(ruled).toEqual(expect.arrayContaining(listed));
  });

  for (const type of types) {
    describe(type, () => {
      const example = exampleOf(type);

      test("has an example with every field of the table", () => {
        const decoded = decode(type, example);
        expect(decoded).toMatchObject({ ok: true });
        for (const { field, leftOut } of rowsOf(type))
          if (leftOut === "refused") expect(example).toHaveProperty(field);
      });

      const rows = [...rowsOf(type), ...rowsOf("Every event").filter(({ type }) => type in TYPES)];
      test.each(rows)("$field is $type", ({ field, type: written }) => {
        if (written in COUNTS) return checkCount(written, field as keyof Counts, example);
        checkType(
          written,
          (value) => decode(type, { ...example, [field]: value }),
          (event) => event[field],
        );
      });

      test.each(rowsOf(type))("$field, if it is left out, is $leftOut", ({ field, leftOut }) => {
        const { [field]: _, ...rest } = example;
        if (field === "progress") return checkProgress(rest);
        checkLeftOut(leftOut, field, decode(type, rest));
      });
    });
  }

  describe("a region", () => {
    const example = exampleOf("result_update");
    const [region] = example.suspicious_regions as Record<string, unknown>[];
    const rows = rowsOf("result_update", 1);
    const withRegion = (changed: object) =>
      decode("result_update", { ...example, suspicious_regions: [changed] });

    test("has a row for each of its fields", () => {
      expect(rows.map(({ field }) => field)).toEqual(Object.keys(region ?? {}));
    });

    test.each(rows)("$field is $type", ({ field, type }) => {
      const ofRegion = (event: Record<string, unknown>) =>
        (event.suspicious_regions as (typeof example)[])[0]?.[field];
      checkType(type, (value) => withRegion({ ...region, [field]: value }), ofRegion);
    });

    test.each(rows)("$field cannot be left out", ({ field, leftOut }) => {
      expect(leftOut).toBe("refused");
      const { [field]: _, ...rest } = region ?? {};
      checkLeftOut(leftOut, field, withRegion(rest));
    });
  });

  test("names the stages in their order", () => {
    const [, sentence = ""] = /The stages, in the order[^:]*:([^.]*)\./.exec(page) ?? [];
    expect([...sentence.matchAll(/`(\w+)`/g)].map(([, stage]) => stage)).toEqual([...STAGES]);
  });

  test.each(tablesIn(sectionOf(page, "Times"))[0] ?? [])("reads the time %s as %s", (written, expected) => {
    const [, json = ""] = /^`([^`]*)`/.exec(written ?? "") ?? [];
    const read = expected === "refused" ? undefined : JSON.parse((expected ?? "").replaceAll("`", ""));
    expect(readTime(JSON.parse(json))).toEqual(read);
  });

  test("states the limits that hold", () => {
    const limits = new Map(
      (tablesIn(sectionOf(page, "Limits"))[0] ?? []).map(([limit = "", value = ""]) => [limit, value]),
    );
    const number = (limit: string) =>
      Number.parseFloat((limits.get(limit) ?? "").replaceAll(",", "").replace("up to ", ""));
    const status = exampleOf("status_update");
    const takes = (fields: object) => decode("status_update", { ...status, ...fields }).ok;
    const padded = (bytes: number) => {
      const text = JSON.stringify({ ...status, pad: "" });
      return decodeEvent(
        text.replace('"pad":""', `"pad":"${"a".repeat(bytes - text.length)}"`),
        context("status_update"),
      ).ok;
    };
    const batch = (events: number) =>
      decodeEvents(JSON.stringify(Array(events).fill(status)), context("status_update")).ok;
    const nested = (levels: number) =>
      takes({ deep: JSON.parse("[".repeat(levels - 1) + "]".repeat(levels - 1)) });
    const time = (characters: number) =>
      takes({ timestamp: `2026-11-24T03:27:22.${"1".repeat(characters - 21)}Z` });
    const outside = (excess: number) => takes({ progress: 1 + excess });
    const faults = decodeEvents(JSON.stringify(Array(200).fill({})), context("status_update"));

    for (const [limit, good] of [
      ["one event", padded],
      ["events in one request", batch],
      ["nesting, the outermost object counted", nested],
      ["a time", time],
      ["`attempt_id`", (characters: number) => takes({ attempt_id: "a".repeat(characters) })],
    ] as const) {
      expect([limit, good(number(limit)), good(number(limit) + 1)]).toEqual([limit, true, false]);
    }
    const rounding = number("a number that rounding put outside its bound is taken as the bound");
    expect([outside(rounding * 0.99), outside(rounding * 1.01)]).toEqual([true, false]);
    expect(faults.ok ? 0 : faults.issues.length).toBe(number("faults named in one refusal"));
    expect(limits.size).toBe(7);
  });
});

function checkType(
  type: string,
  decodeWith: (value: unknown) => ReturnType<typeof decodeEvent>,
  fieldOf: (event: Record<string, unknown>) => unknown,
): void {
  const { takes, refuses } = TYPES[type] ?? { takes: [], refuses: [] };
  expect(takes.length, `a type that this test knows, not "${type}"`).toBeGreaterThan(0);
  for (const [value, read] of takes) {
    const decoded = decodeWith(value);
    expect([value, decoded.ok ? fieldOf({ ...decoded.event }) : decoded]).toEqual([value, read]);
  }
  for (const value of refuses) expect([value, decodeWith(value).ok]).toEqual([value, false]);
}

function checkCount(type: string, field: keyof Counts, example: object): void {
  const counted = (value: unknown) => {
    const decoded = decode("status_update", { ...example, [field]: value });
    expect(decoded).toMatchObject({ ok: true, event: { [field]: value } });
    return decoded.ok && countsOf(decoded.event as StatusUpdate)[field];
  };
  for (const [value, read] of COUNTS[type]?.takes ?? []) expect(counted(value)).toEqual(read as string);
  for (const value of COUNTS[type]?.refuses ?? []) expect([value, counted(value)]).toEqual([value, null]);
}

function checkProgress(withoutProgress: object): void {
  const decoded = (fields: object) => decode("status_update", { ...withoutProgress, ...fields });
  expect(decoded({ current: 30, total: 120 })).toMatchObject({ ok: true, event: { progress: 0.25 } });
  expect(decoded({ current: 130, total: 120 })).toMatchObject({ ok: true, event: { progress: 1 } });
  checkLeftOut("refused", "progress", decoded({ current: 0, total: 0 }));
  checkLeftOut("refused", "progress", decoded({ current: "30", total: 120 }));
}

function checkLeftOut(leftOut: string, field: string, decoded: ReturnType<typeof decodeEvent>): void {
  if (leftOut === "no count") {
    expect(decoded).toMatchObject({ ok: true });
    if (decoded.ok) expect(countsOf(decoded.event as StatusUpdate)[field as keyof Counts]).toBeNull();
  } else if (leftOut !== "refused") {
    const [, value = ""] = /^`(.+)`$/.exec(leftOut) ?? [];
    expect(decoded).toMatchObject({ ok: true, event: { [field]: JSON.parse(value) } });
  } else {
    expect(decoded).toMatchObject({ ok: false });
    if (!decoded.ok) expect(decoded.issues.map(({ path }) => path.at(-1))).toContain(field);
  }
}

function context(type: EventType) {
  const channel: ChannelName =
    type === "notice" ? "system:updates" : analysisChannel(ID as NonNullable<typeof ID>);
  return { channel, now };
}

function decode(type: EventType, event: object): ReturnType<typeof decodeEvent> {
  return decodeEvent(JSON.stringify(event), context(type));
}

/** The rows of the first table of a section, or of another one. */
function rowsOf(heading: string, table = 0): Row[] {
  return (tablesIn(sectionOf(page, heading))[table] ?? []).map(([field = "", type = "", leftOut = ""]) => ({
    field: field.replaceAll("`", ""),
    type,
    leftOut,
  }));
}

function exampleOf(type: EventType): Record<string, unknown> {
  const [snippet] = snippetsIn("docs/EVENTS.md").filter(({ heading }) => heading === type);
  return JSON.parse(snippet?.text ?? "{}");
}
