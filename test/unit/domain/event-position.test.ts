import { describe, expect, test } from "bun:test";
import {
  formatEventId,
  isOnHistory,
  lastInCommon,
  parseEventId,
  positionOfText,
  textWithEventId,
} from "../../../src/domain/event-position.ts";

describe("an event_id", () => {
  test("says the position it was made from", () => {
    for (const position of [
      { epoch: "a1", offset: 1 },
      { epoch: "0", offset: Number.MAX_SAFE_INTEGER },
    ]) {
      expect(parseEventId(formatEventId(position))).toEqual(position);
    }
  });

  test("ID-7: is 0 for the beginning, whatever the epoch", () => {
    expect(formatEventId({ epoch: "a1", offset: 0 })).toBe("0");
    expect(parseEventId("0")).toEqual({ epoch: "", offset: 0 });
  });

  const refused = [
    "",
    "1",
    "a-",
    "a-0",
    "a-01",
    "-1",
    "a-1 ",
    "A-1",
    "a--1",
    "a-1.5",
    "a-9007199254740992",
    `${"a".repeat(33)}-1`,
  ];
  test.each(refused.map((text) => [text]))("is not %j", (text) => {
    expect(parseEventId(text)).toBeUndefined();
  });
});

describe("ID-5: a position is good", () => {
  const history = {
    oldestKept: 5,
    newest: 12,
    spans: [
      { epoch: "a", firstOffset: 1 },
      { epoch: "b", firstOffset: 7 },
      { epoch: "c", firstOffset: 10 },
    ],
  };

  const cases: [string, boolean, string][] = [
    ["a-4", true, "just before the oldest kept"],
    ["a-3", false, "when what follows it was trimmed"],
    ["a-6", true, "in an earlier epoch that is kept"],
    ["a-7", false, "only in the epoch that its offset belongs to"],
    ["b-6", false, "not before its epoch began"],
    ["b-7", true, "where its epoch began"],
    ["b-9", true, "where its epoch ended"],
    ["b-10", false, "not after its epoch ended"],
    ["c-12", true, "at the newest event"],
    ["c-13", false, "not beyond the newest event"],
    ["z-8", false, "not in an epoch that never was"],
    ["0", false, "not at the beginning when that was trimmed"],
  ];
  test.each(cases)("%s: %p, %s", (id, good) => {
    expect(isOnHistory(parseEventId(id) ?? { epoch: "", offset: -1 }, history)).toBe(good);
  });

  test("at the beginning, while everything is kept, or while there is nothing", () => {
    const beginning = { epoch: "", offset: 0 };
    expect(isOnHistory(beginning, { ...history, oldestKept: 1 })).toBe(true);
    expect(isOnHistory(beginning, { oldestKept: 1, newest: 0, spans: [] })).toBe(true);
  });

  test("on a history trimmed to nothing, at its last event alone", () => {
    const trimmed = { oldestKept: 13, newest: 12, spans: [{ epoch: "c", firstOffset: 10 }] };
    expect(isOnHistory({ epoch: "c", offset: 12 }, trimmed)).toBe(true);
    expect(isOnHistory({ epoch: "c", offset: 11 }, trimmed)).toBe(false);
    expect(isOnHistory({ epoch: "", offset: 0 }, trimmed)).toBe(false);
  });

  test("nowhere once its history is lost", () => {
    expect(isOnHistory({ epoch: "a", offset: 1 }, { oldestKept: 1, newest: 0, spans: [] })).toBe(false);
    expect(isOnHistory({ epoch: "a", offset: 1 }, { oldestKept: 1, newest: 3, spans: [] })).toBe(false);
  });
});

describe("ID-1: an event as it is sent", () => {
  test("begins with its event_id and tells its position without being parsed", () => {
    const position = { epoch: "a1", offset: 42 };
    const text = textWithEventId(position, '"7":1,"event_type":"error"}');
    expect(text).toBe('{"event_id":"a1-42","7":1,"event_type":"error"}');
    expect(positionOfText(text)).toEqual(position);
  });

  test("without an event_id of ours at its start tells none", () => {
    for (const text of [
      "",
      "{}",
      '{"event_type":"heartbeat"}',
      ' {"event_id":"a-1"}',
      '{"event_id":"x"}',
      '{"event_id":"a-1',
    ]) {
      expect(positionOfText(text)).toBeUndefined();
    }
  });
});

describe("lastInCommon()", () => {
  const kept = {
    oldestKept: 3,
    newest: 12,
    spans: [
      { epoch: "a", firstOffset: 1 },
      { epoch: "b", firstOffset: 9 },
    ],
  };

  test.each([
    [
      { epoch: "a", offset: 5 },
      { epoch: "a", offset: 5 },
    ],
    [
      { epoch: "a", offset: 11 },
      { epoch: "a", offset: 8 },
    ],
    [
      { epoch: "b", offset: 10 },
      { epoch: "b", offset: 10 },
    ],
    [
      { epoch: "b", offset: 40 },
      { epoch: "b", offset: 12 },
    ],
    [
      { epoch: "c", offset: 5 },
      { epoch: "", offset: 0 },
    ],
    [
      { epoch: "", offset: 0 },
      { epoch: "", offset: 0 },
    ],
  ])("of %j it is %j", (position, common) => {
    expect(lastInCommon(position, kept)).toEqual(common);
  });
});
