import { expect, test } from "bun:test";
import {
  type ChannelCourse,
  type ChannelState,
  decodeCourse,
  decodeState,
  encodeState,
} from "../../../../src/adapters/nats/channel-state.ts";
import { NO_ATTEMPTS } from "../../../../src/domain/attempts.ts";

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

test("CAN-9: decodeCourse() reads the run that encodeState() wrote, and that of an earlier gateway from its stages", () => {
  const course: ChannelCourse = {
    ...{ birth: "b", bornAfter: 1, bornAt: 2, lineage: "l", spans: [], attempts: NO_ATTEMPTS, renamed: [] },
    stages: [{ stage: "s", at: "2026-11-28T10:00:00Z", offset: 7 }],
    run: { since: 3, begunAt: 7 },
  };
  const text = encodeState({ ...STATE, courseAt: 0 }, course);
  expect(decodeCourse(text, 9)).toEqual(course);
  const [previous, oldestKept, kept, ...rest] = JSON.parse(text) as [number, number, unknown[]];
  // Without a renamed key it ended with the stages.
  const earlier = JSON.stringify([previous, oldestKept, kept.slice(0, 9), ...rest]);
  expect(decodeCourse(earlier, 9)).toEqual({ ...course, run: { since: 7, begunAt: 7 } });
});
