import { describe, expect, test } from "bun:test";
import { OccurrenceCounter } from "../../../../src/adapters/system/occurrence-counter.ts";

const MARK = "server.1.mark";

describe("OccurrenceCounter", () => {
  test("IDN-1: counts as every other node that heard the same mark, whatever it heard before", () => {
    const [old, young] = [new OccurrenceCounter(0), new OccurrenceCounter(0)];
    for (const payload of ["a", "b", "a"]) old.heard("x", payload, 0);
    for (const counter of [old, young]) counter.marked(MARK);
    for (const payload of ["a", "b", "a", "a", "c"]) {
      const [one, two] = [old.heard("x", payload, 0), young.heard("x", payload, 0)];
      expect([one.content, one.stretch, one.number]).toEqual([two.content, two.stretch, two.number]);
    }
    expect(old.heard("x", "a", 0)).toMatchObject({ stretch: MARK, number: 4 });
    expect(old.heard("y", "a", 0).number).toBe(1);
  });

  test("IDN-5: counts in a stretch of its own until the first mark, in another one on each connection", () => {
    const counter = new OccurrenceCounter(5);
    const first = counter.heard("x", "a", 7);
    expect(first).toMatchObject({ number: 1, since: 5, before: "unknown" });
    expect(first.stretch).toStartWith(`~${first.listener}.`);
    counter.marked(MARK);
    expect(counter.heard("x", "a", 7).since).toBeUndefined();
    counter.connected(20);
    const again = counter.heard("x", "a", 21);
    expect(again).toMatchObject({ number: 1, since: 20, before: "unknown", listener: first.listener });
    expect(again.stretch).not.toBe(first.stretch);
    expect(counter.isShared).toBe(false);
  });

  test("IDN-3: says what it heard before on the channel, over marks as well", () => {
    const counter = new OccurrenceCounter(0);
    const before = (channel: string, payload: string) => counter.heard(channel, payload, 0).before;
    expect([before("x", "a"), before("x", "a"), before("y", "a")]).toEqual(["unknown", "same", "unknown"]);
    counter.marked(MARK);
    expect([before("x", "a"), before("x", "b"), before("x", "a")]).toEqual(["same", "other", "other"]);
  });

  test("takes bytes and their text for the same content", () => {
    const counter = new OccurrenceCounter(0);
    const text = "Prüfung 🎬";
    const bytes = counter.heard("x", new TextEncoder().encode(text), 0);
    expect(counter.heard("x", text, 0)).toMatchObject({ content: bytes.content, number: 2 });
  });

  test("IDN-8: counts by itself until the next mark after 100,000 contents", () => {
    const counter = new OccurrenceCounter(0);
    counter.marked(MARK);
    for (let n = 0; n < 100_000; n++) counter.heard("x", `${n}`, 9);
    expect(counter.isShared).toBe(true);
    expect(counter.heard("x", "0", 9)).toMatchObject({ number: 1, since: 9 });
    expect(counter.isShared).toBe(false);
    counter.marked("server.2.mark");
    expect(counter.isShared).toBe(true);
  });

  test("IDN-8: forgets the last message of the oldest channel after 20,000 channels", () => {
    const counter = new OccurrenceCounter(0);
    for (let n = 0; n <= 20_000; n++) counter.heard(`${n}`, "a", 0);
    expect(counter.heard("1", "a", 0).before).toBe("same");
    expect(counter.heard("0", "a", 0).before).toBe("unknown");
  });
});
