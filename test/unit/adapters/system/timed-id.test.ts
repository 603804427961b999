import { expect, test } from "bun:test";
import { compareTimedIds, timeOfId } from "../../../../src/adapters/system/timed-id.ts";
import { TIMED_IDS } from "../../../support/timed-ids.ts";

test("compareTimedIds() orders ids by both of their numbers, of up to 64 bits", () => {
  expect([...TIMED_IDS].reverse().sort(compareTimedIds)).toEqual([...TIMED_IDS]);
  for (const id of TIMED_IDS) expect(compareTimedIds(id, id)).toBe(0);
});

test.each([
  ["the time of an id", "1764000000000-3", 1_764_000_000_000],
  ["nothing of an id before the year 2000", "5-1", undefined],
  ["nothing of an id a day ahead", "1764086400001-0", undefined],
])("timeOfId() gives %s", (_, id, time) => {
  expect(timeOfId(id, 1_764_000_000_000)).toBe(time);
});
