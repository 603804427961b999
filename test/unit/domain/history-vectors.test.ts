import { describe, expect, test } from "bun:test";
import { isOnHistory } from "../../../src/domain/event-position.ts";
import { HISTORIES, outcomeOf } from "../../vectors/histories.ts";

/** `redis-vectors.test.ts` runs the same on Redis. */
describe("isOnHistory() by the shared vectors", () => {
  for (const history of HISTORIES) {
    test(`${history.name}: it takes every position that is good, and no other`, () => {
      const { kept, positions } = outcomeOf(history);
      const judged = positions.map(({ position }) => ({ position, isGood: isOnHistory(position, kept) }));
      expect(judged).toEqual([...positions]);
    });
  }
});
