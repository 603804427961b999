import { expect, test } from "bun:test";
import type { RunningIndexPort } from "../../src/application/ports/running-index-port.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";

/** The index of analyses that may be running, seen by two gateways. */
export function runningIndexRules(open: () => Promise<readonly [RunningIndexPort, RunningIndexPort]>): void {
  test("ABN-3: the index gives what is due, and settles only what nobody has moved since", async () => {
    const [one, two] = await open();
    const [early, late, later] = [someAnalysis(), someAnalysis(), someAnalysis()];
    for (const [channel, dueAt] of [
      [late, 2_000],
      [early, 1_000],
      [later, 3_000],
    ] as const)
      expect(await one.put({ channel, dueAt })).toBe(true);
    const due = await two.due(2_500, 10);
    expect(due).toEqual([
      { channel: early, dueAt: 1_000 },
      { channel: late, dueAt: 2_000 },
    ]);
    expect(await two.due(2_500, 1)).toEqual(due.slice(0, 1));
    await one.put({ channel: early, dueAt: 1_500 });
    for (const read of due) await two.settle(read, undefined);
    expect(await two.due(5_000, 10)).toEqual([
      { channel: early, dueAt: 1_500 },
      { channel: later, dueAt: 3_000 },
    ]);
    await one.settle({ channel: early, dueAt: 1_500 }, 4_000);
    expect((await two.due(5_000, 10)).map(({ channel }) => channel)).toEqual([later, early]);
    await two.settle({ channel: later, dueAt: 3_000 }, undefined);
    await one.settle({ channel: later, dueAt: 3_000 }, 3_500);
    expect((await one.due(5_000, 10)).map(({ channel }) => channel)).toEqual([early]);
    expect(await two.put({ channel: later, dueAt: 4_500 })).toBe(true);
    expect(await one.due(5_000, 10)).toEqual([
      { channel: early, dueAt: 4_000 },
      { channel: later, dueAt: 4_500 },
    ]);
  });
}
