import { describe, expect, test } from "bun:test";
import {
  compareEntryIds,
  type EntryMarks,
  entryId,
  isMarked,
  marksAfter,
} from "../../../../src/adapters/nats/entry-ids.ts";

const CREATION = "mi4z0000";
const NEXT_CREATION = "mi4z0001";

/** An entry at a sequence, stored so many nanoseconds after an instant. */
function entry(sequence: number, after: number, creation = CREATION): string {
  return entryId(creation, sequence, `${1_764_000_000_000_000_000n + BigInt(after)}`);
}

/** The marks after these entries, each of which must be new when its turn comes. */
function marksOf(...ids: readonly string[]): EntryMarks {
  let marks: EntryMarks | undefined;
  for (const id of ids) {
    if (marks !== undefined) expect([id, isMarked(id, marks)]).toEqual([id, false]);
    marks = marksAfter(marks, id);
  }
  if (marks === undefined) throw new Error("no entry was given");
  for (const id of ids) expect([id, isMarked(id, marks)]).toEqual([id, true]);
  return marks;
}

describe("isMarked()", () => {
  test("takes no entry of a stream for a repeat that has lost its newest messages", () => {
    const marks = marksOf(
      entry(58, 100),
      entry(60, 200),
      entry(41, 5_000),
      entry(42, 6_000),
      entry(60, 7_000),
    );
    expect(isMarked(entry(43, 6_500), marks)).toBe(true);
    expect(isMarked(entry(61, 7_000), marks)).toBe(false);
  });

  test("tells entries of one instant apart by their sequence, also on sequences that were given before", () => {
    marksOf(entry(1, 0), entry(2, 0), entry(60, 0), entry(41, 5_000), entry(42, 5_000), entry(43, 5_000));
  });

  test("takes an entry for a repeat that was lost, once a later one was stored", () => {
    expect(isMarked(entry(55, 150), marksOf(entry(60, 200), entry(41, 5_000)))).toBe(true);
  });

  test("takes no entry for a repeat that a gateway took before its loss and that lies further", () => {
    marksOf(entry(40, 100), entry(41, 5_000), entry(55, 150), entry(42, 5_100));
  });

  test("goes by the sequence when the clock of the server was set back", () => {
    const marks = marksOf(entry(60, 9_000), entry(61, 100), entry(62, 200));
    expect(isMarked(entry(59, 8_000), marks)).toBe(true);
  });

  test("takes no entry of a stream for a repeat that was made anew, or that an older one took the place of", () => {
    marksOf(entry(60, 100), entry(1, 200, NEXT_CREATION), entry(30, 300), entry(2, 400, NEXT_CREATION));
  });

  test("goes by the sequence if an earlier gateway stored the last entry, whose ids have no time", () => {
    const last = `${CREATION}-60`;
    const marks = { furthest: last, latest: last };
    expect(isMarked(entry(60, 9_000), marks)).toBe(true);
    expect(isMarked(entry(61, 0), marks)).toBe(false);
    expect(marksAfter(marks, entry(61, 0))).toEqual({ furthest: entry(61, 0), latest: entry(61, 0) });
  });
});

describe("compareEntryIds()", () => {
  test("orders ids by the stream, then by the sequence, and tells two messages of one sequence apart", () => {
    const ids = [entry(2, 9), entry(10, 1), entry(10, 2), entry(1, 0, NEXT_CREATION)];
    expect([...ids].reverse().sort(compareEntryIds)).toEqual(ids);
    expect(compareEntryIds(entry(10, 1), entry(10, 1))).toBe(0);
  });
});
