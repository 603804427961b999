import { describe, expect, test } from "bun:test";
import { HeardCopies } from "../../../../src/adapters/redis/heard-copies.ts";

const CHANNEL = "analysis:x";
const [a, b, c] = [{ name: "a" }, { name: "b" }, { name: "c" }];

function hearing() {
  const copies = new HeardCopies<object>();
  const hear = (place: object, payload: string, now = 0) =>
    copies.isNew(place, CHANNEL, Buffer.from(payload), now);
  return { copies, hear };
}

describe("HeardCopies", () => {
  test("takes the first copy of each message, whichever place it comes from", () => {
    const { hear } = hearing();
    expect([hear(a, "1"), hear(b, "1"), hear(b, "2"), hear(a, "2")]).toEqual([true, false, true, false]);
  });

  test("takes the same bytes published twice for two messages", () => {
    const { hear } = hearing();
    expect([hear(a, "1"), hear(a, "1"), hear(b, "1"), hear(b, "1")]).toEqual([true, true, false, false]);
    expect([hear(b, "1"), hear(a, "1")]).toEqual([true, false]);
  });

  test("tells the same bytes on two channels apart", () => {
    const { copies, hear } = hearing();
    expect(hear(a, "1")).toBe(true);
    expect(copies.isNew(b, "analysis:y", Buffer.from("1"), 0)).toBe(true);
  });

  test("knows a message that a place hears late which has just subscribed", () => {
    const { hear } = hearing();
    hear(a, "1");
    hear(b, "1");
    expect(hear(c, "1")).toBe(false);
  });

  test("takes each message for new once, though a place missed some of the same bytes", () => {
    const { hear } = hearing();
    hear(a, "1");
    hear(a, "1");
    // The third, of which b takes its copy for that of the first.
    expect([hear(b, "1"), hear(a, "1"), hear(a, "1")]).toEqual([false, true, true]);
  });

  test("forgets what was heard first before a time", () => {
    const { copies, hear } = hearing();
    hear(a, "1", 10);
    hear(a, "1", 20);
    hear(a, "2", 30);
    copies.forget(20);
    expect([hear(b, "1", 40), hear(b, "1", 40), hear(b, "2", 40)]).toEqual([false, true, false]);
  });
});
