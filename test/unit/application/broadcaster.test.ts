import { describe, expect, test } from "bun:test";
import { Broadcaster } from "../../../src/application/fan-out/broadcaster.ts";
import { publishedOfLength } from "../../support/published-event.ts";
import { turn } from "../../support/turn.ts";

describe("Broadcaster, when nobody is behind", () => {
  const pushed = async (count: number, characters: number) => {
    const broadcaster = new Broadcaster();
    for (let offset = 1; offset <= count; offset++) {
      broadcaster.push(publishedOfLength(offset, characters));
      await turn();
    }
    return broadcaster;
  };

  test("keeps few of many events, however long the channel lives", async () => {
    const broadcaster = await pushed(1_000, 300);
    expect(broadcaster.waitingFrom(0)).toBeLessThan(100 * 300);
    expect(broadcaster.at(broadcaster.next - 1)).toBeDefined();
  });

  test("keeps little of large events, so that a quiet channel holds no megabytes", async () => {
    const broadcaster = await pushed(40, 100_000);
    expect(broadcaster.waitingFrom(0)).toBeLessThan(1_000_000);
  });
});
