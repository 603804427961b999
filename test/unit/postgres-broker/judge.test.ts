import { describe, expect, test } from "bun:test";
import {
  compareIds,
  emptyRecord,
  judge,
  type KeptRecord,
  type Remembered,
} from "../../../examples/postgres-broker/src/judge.ts";
import type { AppendRequest, RequestKey } from "../../../src/package/ports.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";

const channel = someAnalysis();

interface Options {
  readonly now?: number;
  readonly lineage?: string;
  readonly newEpoch?: string;
  readonly historySize?: number;
  readonly seen?: readonly Remembered[];
}

function judged(record: KeptRecord, requests: readonly AppendRequest[], options: Options = {}) {
  return judge(requests, record, {
    ...{ channel, now: 1_000, lineage: "one", newEpoch: "first", historySize: 10, seen: [] },
    ...options,
  });
}

const request = (deduplicate?: AppendRequest["deduplicate"]): AppendRequest => ({
  channel,
  events: [status()],
  ...(deduplicate && { deduplicate }),
});

const key = (name: string, scope: RequestKey["scope"] = "channel"): RequestKey => ({
  ...{ by: "key", name, scope, windowMs: 100, rememberMs: 500 },
});

const entry = (id: string) => ({ by: "entry", id }) as const;

/** Belongs to an attempt that another one has ended, so the channel refuses it. */
function refusedAfter(record: KeptRecord): AppendRequest {
  for (const attemptId of ["a", "b"]) judged(record, [{ channel, events: [status({ attemptId })] }]);
  return { channel, events: [status({ attemptId: "a" })] };
}

describe("judge()", () => {
  test("PS-2 numbers events from one on, over requests and calls", () => {
    const record = emptyRecord();
    const two = { channel, events: [status(), status()] };
    expect(judged(record, [two, request()]).outcomes).toEqual([
      { type: "stored", epoch: "first", firstOffset: 1, count: 2 },
      { type: "stored", epoch: "first", firstOffset: 3, count: 1 },
    ]);
    expect(judged(record, [two]).outcomes).toMatchObject([{ firstOffset: 4, count: 2 }]);
  });

  test("PS-22 begins an epoch if the server is another than at the last event, and goes on counting", () => {
    const record = emptyRecord();
    judged(record, [request()]);
    expect(judged(record, [request()], { newEpoch: "unused" }).outcomes).toMatchObject([{ epoch: "first" }]);
    const after = judged(record, [request()], { lineage: "two", newEpoch: "second" });
    expect(after.outcomes).toMatchObject([{ epoch: "second", firstOffset: 3 }]);
    expect(record.spans).toEqual([
      { epoch: "first", firstOffset: 1 },
      { epoch: "second", firstOffset: 3 },
    ]);
  });

  test("PS-22 begins no epoch with a request that is refused", () => {
    const record = emptyRecord();
    const refused = refusedAfter(record);
    const { outcomes, heard } = judged(record, [refused], { lineage: "two", newEpoch: "second" });
    expect([outcomes[0]?.type, heard]).toEqual(["refused", false]);
    expect(record).toMatchObject({ epoch: "first", lineage: "one", offset: 2 });
    expect(record.spans).toHaveLength(1);
  });

  test("PS-9 finds a key within its window, at its very end too, and not after it", () => {
    const record = emptyRecord();
    const { remembered } = judged(record, [request(key("k"))]);
    const later = (now: number) => judged(record, [request(key("k"))], { now, seen: remembered }).outcomes[0];
    expect(later(1_100)).toEqual({ type: "duplicate", epoch: "first", firstOffset: 1, count: 1 });
    expect(later(1_101)).toMatchObject({ type: "stored", firstOffset: 2 });
  });

  test("PS-10 finds a key in a wider window until it is forgotten", () => {
    const record = emptyRecord();
    const { remembered } = judged(record, [request(key("k"))]);
    const wider = { ...key("k"), windowMs: 10_000 };
    const later = (now: number) => judged(record, [request(wider)], { now, seen: remembered }).outcomes[0];
    expect(later(1_499)?.type).toBe("duplicate");
    expect(later(1_500)?.type).toBe("stored");
  });

  test("PS-9 finds a key of an earlier request of the same call", () => {
    const { outcomes, events, remembered } = judged(emptyRecord(), [request(key("k")), request(key("k"))]);
    expect(outcomes.map(({ type }) => type)).toEqual(["stored", "duplicate"]);
    expect([events.length, remembered.length]).toEqual([1, 1]);
  });

  test("PS-10 keeps the names of notices apart from those of the channel", () => {
    const requests = [request(key("k")), request(key("k", "notices"))];
    const { outcomes, remembered } = judged(emptyRecord(), requests);
    expect(outcomes.map(({ type }) => type)).toEqual(["stored", "stored"]);
    expect(remembered.map(({ scope }) => scope)).toEqual([channel, "notices"]);
  });

  test("PS-28 takes the last entry of the outbox, and every one before it, for a repeat", () => {
    const record = emptyRecord();
    judged(record, [request(entry("9"))]);
    const { outcomes, heard } = judged(record, [
      request(entry("9")),
      request(entry("8")),
      request(entry("10")),
    ]);
    expect(outcomes.map(({ type }) => type)).toEqual(["duplicate", "duplicate", "stored"]);
    expect([heard, record.lastEntry?.id]).toEqual([true, "10"]);
  });

  test("PS-28 the entry that is remembered is the last one stored, though a refused one comes after it", () => {
    const record = emptyRecord();
    const refused = refusedAfter(record);
    judged(record, [request(entry("1")), { ...refused, deduplicate: entry("2") }]);
    expect(record.lastEntry?.id).toBe("1");
  });

  test("PS-20 trims to the size, some events at once, and keeps the epoch of the position before the oldest", () => {
    const record = emptyRecord();
    for (let n = 1; n <= 5; n++) judged(record, [request()]);
    for (let n = 6; n <= 20; n++) judged(record, [request()], { lineage: "two", newEpoch: "second" });
    expect(record.oldest).toBe(1);
    judged(record, [request()], { lineage: "two" });
    // 21 events were there, of which the newest ten stay. Position 11 is a good one, and of the second epoch.
    expect([record.oldest, record.spans.map(({ epoch }) => epoch)]).toEqual([12, ["second"]]);
  });

  test("PS-20 an epoch ends with the position just before the oldest event", () => {
    const record = emptyRecord();
    for (let n = 1; n <= 11; n++) judged(record, [request()]);
    for (let n = 12; n <= 21; n++) judged(record, [request()], { lineage: "two", newEpoch: "second" });
    expect([record.oldest, record.spans.map(({ epoch }) => epoch)]).toEqual([12, ["first", "second"]]);
  });
});

describe("compareIds()", () => {
  test("IB-8 orders ids as numbers of any size", () => {
    expect(compareIds("9", "10")).toBeLessThan(0);
    expect(compareIds("10", "9")).toBeGreaterThan(0);
    expect(compareIds("10", "10")).toBe(0);
    expect(compareIds("9007199254740992", "9007199254740993")).toBeLessThan(0);
  });
});
