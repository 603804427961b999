import { describe, expect, test } from "bun:test";
import { Fanout } from "../../../src/application/fan-out/fanout.ts";
import { publishedOfLength } from "../../support/published-event.ts";
import { turn } from "../../support/turn.ts";

describe("Fanout, when nobody is behind", () => {
  const pushed = async (count: number, characters: number) => {
    const fanout = new Fanout();
    for (let offset = 1; offset <= count; offset++) {
      fanout.push(publishedOfLength(offset, characters));
      await turn();
    }
    return fanout;
  };

  test("keeps few of many events, however long the channel lives", async () => {
    const fanout = await pushed(1_000, 300);
    expect(fanout.waitingFrom(0)).toBeLessThan(100 * 300);
    expect(fanout.at(fanout.next - 1)).toBeDefined();
  });

  test("keeps little of large events, so that a quiet channel holds no megabytes", async () => {
    const fanout = await pushed(40, 100_000);
    expect(fanout.waitingFrom(0)).toBeLessThan(1_000_000);
  });
});
