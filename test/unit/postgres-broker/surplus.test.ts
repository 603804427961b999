import { describe, expect, test } from "bun:test";
import { type KeptSize, surplus } from "../../../examples/postgres-broker/src/surplus.ts";

function kept(...kinds: readonly [kind: string, bytes: number][]): KeptSize[] {
  return kinds.map(([kind, bytes], index) => ({ id: `${index + 1}`, kind, bytes }));
}

describe("surplus()", () => {
  test("BUD-7 drops nothing that fits exactly", () => {
    expect(surplus(kept(["a", 5], ["b", 5]), { items: 2, bytes: 10 })).toEqual([]);
  });

  test("BUD-7 drops the oldest of the kind that has the most items, whichever came first", () => {
    const letters = kept(["a", 1], ["b", 1], ["b", 1], ["b", 1], ["a", 1]);
    expect(surplus(letters, { items: 4, bytes: 100 })).toEqual(["2"]);
    expect(surplus(letters, { items: 3, bytes: 100 })).toEqual(["2", "1"]);
  });

  test("BUD-7 drops the oldest of the kind that has the most bytes, though another has more items", () => {
    const letters = kept(["a", 1], ["a", 1], ["a", 1], ["b", 60], ["b", 50]);
    expect(surplus(letters, { items: 10, bytes: 60 })).toEqual(["4"]);
    expect(surplus(letters, { items: 10, bytes: 10 })).toEqual(["4", "5"]);
  });

  test("BUD-7 counts the bytes of what it dropped for its number", () => {
    expect(surplus(kept(["a", 90], ["a", 5], ["b", 5]), { items: 2, bytes: 20 })).toEqual(["1"]);
  });
});
