import { expect, test } from "bun:test";
import { type ChannelState, decodeState, encodeState } from "../../../../src/adapters/nats/channel-state.ts";

const STATE: ChannelState = {
  ...{ previous: 7, oldestKept: 3, courseAt: 5, lastStatus: undefined, currentTerminal: undefined },
  lastEntry: { furthest: "mi4z0000-60-200", latest: "mi4z0000-41-900", epoch: "e", first: 8, count: 1 },
};

test("decodeState() reads the marks of entries that encodeState() wrote", () => {
  expect(decodeState(encodeState(STATE, undefined), 9)).toEqual(STATE);
  const { lastEntry } = STATE;
  const same = { ...STATE, lastEntry: lastEntry && { ...lastEntry, latest: lastEntry.furthest } };
  expect(decodeState(encodeState(same, undefined), 9)).toEqual(same);
});

test("decodeState() reads the last entry of an earlier gateway, whose ids have no time", () => {
  expect(decodeState('[7,3,5,0,0,["mi4z0000-60","e",8,1]]', 9).lastEntry).toEqual({
    ...{ furthest: "mi4z0000-60", latest: "mi4z0000-60", epoch: "e", first: 8, count: 1 },
  });
});
