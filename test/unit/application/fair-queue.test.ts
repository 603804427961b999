import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers";
import { FairQueue, type FairQueueLimits, inQueue } from "../../../src/application/fair-queue.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { turn } from "../../support/turn.ts";

describe("FairQueue", () => {
  const opened = (limits: Partial<FairQueueLimits> = {}) => {
    const queue = new FairQueue(new ManualClock(), { perUser: 10, total: 20, begun: 3, ...limits });
    const order: string[] = [];
    /** An answer of so many reads, each of which takes a turn of the event loop. */
    const answer = (name: string, reads: number, abandoned = new AbortController().signal) =>
      inQueue(queue, { userId: name.replace(/\d/g, ""), abandoned }, async (place) => {
        for (let count = 1; count <= reads; count++)
          await place.read(async () => {
            order.push(name);
            await turn();
          });
        return name;
      });
    return { queue, order, answer };
  };

  const codes = async (answers: readonly Promise<string>[]) =>
    (await Promise.allSettled(answers)).map((end) =>
      end.status === "fulfilled" ? end.value : end.reason.code,
    );

  test("BUD-11: users take turns, each for one read, and one user's answers keep their order", async () => {
    const { order, answer } = opened();
    await Promise.all([answer("alice1", 4), answer("alice2", 2), answer("bob", 1), answer("carol", 2)]);
    expect(order.join(" ")).toBe("alice1 bob carol alice1 carol alice1 alice1 alice2 alice2");
  });

  test("BUD-11: one read goes on at a time, and the next begins in a later turn of the event loop", async () => {
    const { queue } = opened();
    let reading = 0;
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setImmediate(count);
    };
    count();
    const abandoned = new AbortController().signal;
    // Nothing but promises: without the queue all of it would happen in one turn.
    const instants = await Promise.all(
      Array.from({ length: 5 }, (_, index) =>
        inQueue(queue, { userId: `user ${index}`, abandoned }, (place) =>
          place.read(async () => {
            expect(++reading).toBe(1);
            await Promise.resolve();
            reading--;
            return turns;
          }),
        ),
      ),
    );
    counting = false;
    expect(new Set(instants).size).toBe(5);
  });

  test("BUD-12: more answers of one user, or of all, than the queue holds are refused; those that left count no more", async () => {
    const { queue, answer } = opened({ perUser: 2, total: 3 });
    const first = ["alice1", "alice2", "alice3", "bob1", "bob2", "carol"].map((name) => answer(name, 1));
    expect(await codes(first)).toEqual([
      "alice1",
      "alice2",
      "too_many_connections",
      "bob1",
      "over_capacity",
      "over_capacity",
    ]);
    expect(queue.size).toBe(0);
    expect(await codes([answer("alice1", 1), answer("alice2", 1)])).toEqual(["alice1", "alice2"]);
  });

  test("BUD-12: the queue reads no more for a client that has gone, before its turn or between two", async () => {
    const { queue, order, answer } = opened();
    const [waits, begun, came] = [new AbortController(), new AbortController(), new AbortController()];
    came.abort();
    const answers = [
      answer("alice", 3, begun.signal),
      answer("bob", 1, waits.signal),
      answer("carol", 1, came.signal),
      answer("dave", 1),
    ];
    await Promise.resolve();
    begun.abort();
    waits.abort();
    expect(queue.size).toBe(1);
    expect(await codes(answers)).toEqual(["read_abandoned", "read_abandoned", "read_abandoned", "dave"]);
    expect(order).toEqual(["alice", "dave"]);
    expect(queue.size).toBe(0);
  });

  test("BUD-11: at most so many answers are half read; the others begin as these end", async () => {
    const { order, answer } = opened({ begun: 2 });
    await Promise.all(["alice", "bob", "carol"].map((name) => answer(name, 2)));
    expect(order).toEqual(["alice", "bob", "alice", "carol", "bob", "carol"]);
  });

  test("a read that fails gives its turn back", async () => {
    const { queue, answer } = opened();
    const abandoned = new AbortController().signal;
    const fails = inQueue(queue, { userId: "alice", abandoned }, (place) =>
      place.read(() => Promise.reject(Object.assign(new Error("failed"), { code: "failed" }))),
    );
    expect(await codes([fails, answer("bob", 1), answer("alice", 1)])).toEqual(["failed", "bob", "alice"]);
    expect(queue.size).toBe(0);
  });
});
