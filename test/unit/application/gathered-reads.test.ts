import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers";
import { FairQueue } from "../../../src/application/fair-queue.ts";
import { GatheredReads } from "../../../src/application/gathered-reads.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

describe("GatheredReads", () => {
  const opened = () => {
    const queue = new FairQueue(new ManualClock(), { perUser: 2, total: 10, begun: 2 });
    const read: string[] = [];
    const reads = new GatheredReads(queue, async (key: string) => {
      read.push(key);
      if (key === "broken") throw new Error("broken");
      return { key };
    });
    const get = (key: string, userId = "alice", abandoned = new AbortController().signal) =>
      reads.get(key, { userId, abandoned });
    return { queue, reads, read, get };
  };

  test("BUD-13: the user whose turn comes first reads for all, and nothing is kept afterwards", async () => {
    const { queue, reads, read, get } = opened();
    const crowd = ["alice", "alice", "alice", "bob", "carol"].map((userId) => get("one", userId));
    await Promise.all([...crowd, get("two")]);
    expect(read).toEqual(["one", "two"]);
    expect(new Set(await Promise.all(crowd)).size).toBe(1);
    expect([queue.size, reads.size]).toEqual([0, 0]);
  });

  test("BUD-13: a read that fails fails for all who share it, and not for those who ask later", async () => {
    const { queue, reads, get } = opened();
    const ends = await Promise.allSettled(["alice", "alice", "bob"].map((userId) => get("broken", userId)));
    expect(ends.map((end) => (end.status === "rejected" ? end.reason.message : end.value))).toEqual(
      Array(3).fill("broken"),
    );
    expect(await get("one")).toEqual({ key: "one" });
    expect([queue.size, reads.size]).toEqual([0, 0]);
  });

  test("BUD-14: those who share an answer have it in different turns of the event loop", async () => {
    const { get } = opened();
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setImmediate(count);
    };
    count();
    const instants = await Promise.all(Array.from({ length: 20 }, () => get("one").then(() => turns)));
    counting = false;
    expect(new Set(instants).size).toBe(20);
  });
});
