import { expect, test } from "bun:test";
import { randomEpoch } from "../../../../src/adapters/system/random-epoch.ts";
import { parseEventId } from "../../../../src/domain/event-position.ts";

test("randomEpoch() gives ten characters of 0-9a-z, and another ten each time", () => {
  const epochs = Array.from({ length: 100 }, randomEpoch);
  for (const epoch of epochs) {
    expect(epoch).toMatch(/^[0-9a-z]{10}$/);
    expect(parseEventId(`${epoch}-1`)).toEqual({ epoch, offset: 1 });
  }
  expect(new Set(epochs).size).toBe(100);
});
