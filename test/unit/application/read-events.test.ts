import { describe, expect, test } from "bun:test";
import { ClaimsAndViewers } from "../../../src/application/access-policy.ts";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { FairQueue } from "../../../src/application/fair-queue.ts";
import { FeedRegistry } from "../../../src/application/fan-out/feed-registry.ts";
import {
  ReadEvents,
  type ReadEventsAnswer,
  type ReadEventsRequest,
} from "../../../src/application/read-events.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { type GivenPosition, readPosition } from "../../../src/domain/event-position.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";

describe("ReadEvents", () => {
  const opened = () => {
    const node = memoryNode();
    const channel = someAnalysis();
    const feeds = new FeedRegistry(node.pubSub, node.clock, node.telemetry);
    const reads = new FairQueue(node.clock, { perUser: 20, total: 30, begun: 2 });
    const access = new ClaimsAndViewers("allow");
    const reading = new ReadEvents(node.pubSub, reads, feeds, node.clock, access);
    const leave = new AbortController();
    const read = (request: Partial<ReadEventsRequest> = {}) =>
      reading.execute({
        analysisId: analysisIdOf(channel),
        grant: someGrant(),
        after: undefined,
        limit: 100,
        waitMs: 25_000,
        abandoned: leave.signal,
        ...request,
      });
    const publish = () => node.elsewhere.append({ channel, events: [status()] });
    return { ...node, channel, feeds, read, publish, leave };
  };

  const MEBIBYTE = 1024 * 1024;
  const offsetsOf = (answer: ReadEventsAnswer): (number | string)[] =>
    answer.type === "events" ? answer.texts.map((text) => Number(/-(\d+)"/.exec(text)?.[1])) : [answer.type];

  test.each([0, 25_000])(
    "BUD-3: with wait %d an answer holds at most 4 MiB, and all can be read",
    async (waitMs) => {
      const { read, elsewhere, channel } = opened();
      const sizes = [...Array(9).fill(MEBIBYTE - 200), ...Array(30).fill(400_000), ...Array(100).fill(1_000)];
      for (const size of sizes)
        await elsewhere.append({ channel, events: [status({ note: "ü".repeat(size / 2) })] });
      const all: (number | string)[] = [];
      let after: GivenPosition | undefined;
      for (let reads = 0; all.length < sizes.length; reads++) {
        const answer = await read({ after, limit: 1_000, waitMs });
        const offsets = offsetsOf(answer);
        expect(offsets.length).toBeGreaterThan(0);
        expect(reads).toBeLessThan(30);
        if (answer.type === "events") {
          expect(Buffer.byteLength(answer.texts.join(","))).toBeLessThan(4 * MEBIBYTE - 500);
          after = readPosition(answer.lastEventId);
        }
        all.push(...offsets);
      }
      expect(all).toEqual(sizes.map((_, index) => index + 1));
    },
  );

  test("BUD-3: an answer is as large as it may be, and `limit` is a maximum", async () => {
    const { read, elsewhere, channel } = opened();
    for (let count = 0; count < 12; count++)
      await elsewhere.append({ channel, events: [status({ note: "x".repeat(400_000) })] });
    expect(offsetsOf(await read({ limit: 1_000, waitMs: 0 }))).toHaveLength(8);
    expect(offsetsOf(await read({ limit: 3, waitMs: 0 }))).toEqual([1, 2, 3]);
  });

  test.each([0, 25_000])(
    "BUD-4: with wait %d nothing is read for a user who may not watch",
    async (waitMs) => {
      const { read, pubSub, elsewhere, channel, publish } = opened();
      await publish();
      await elsewhere.declareViewers(channel, new Set(["bob"]));
      expect(await read({ waitMs, after: { epoch: "", offset: 0 } })).toEqual({ type: "not_allowed" });
      expect(pubSub.countOf("history")).toBe(0);
    },
  );

  test("BUD-4: without wait, too, a user who loses the right at any instant of the read is refused", async () => {
    for (let instant = 0; instant < 8; instant++) {
      const { read, pubSub, elsewhere, channel, publish } = opened();
      await publish();
      pubSub.holdsCalls = true;
      const answer = read({ waitMs: 0 });
      for (let step = 0; step < instant; step++) await pubSub.proceed();
      await elsewhere.declareViewers(channel, new Set(["bob"]));
      await publish();
      for (let step = 0; step < 8; step++) await pubSub.proceed();
      // Events that were judged last before the change were read before it.
      const expected: (number | string)[] = instant < 5 ? ["not_allowed"] : [1];
      expect([instant, offsetsOf(await answer)]).toEqual([instant, expected]);
    }
  });

  test("BUD-3: one of many that read at once holds pages, the others wait their turn", async () => {
    const { read, pubSub, publish } = opened();
    await publish();
    pubSub.holdsCalls = true;
    const answers = Array.from({ length: 10 }, () => read({ waitMs: 0 }));
    for (let step = 0; step < 20; step++) await pubSub.proceed();
    expect(pubSub.waiting.map(({ name }) => name)).toEqual(["history"]);
    pubSub.holdsCalls = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    expect((await Promise.all(answers)).map(offsetsOf)).toEqual(Array(10).fill([1]));
  });

  test("BUD-12: a page is not read for a client that has gone before its turn or between two reads", async () => {
    const { read, pubSub, elsewhere, channel, leave } = opened();
    for (let count = 0; count < 4; count++)
      await elsewhere.append({ channel, events: [status({ note: "x".repeat(900_000) })] });
    pubSub.holdsCalls = true;
    const answers = Array.from({ length: 3 }, () => read({ waitMs: 0, limit: 1_000 }));
    const ends = Promise.allSettled(answers);
    for (let step = 0; step < 7; step++) await pubSub.proceed();
    expect(pubSub.countOf("history")).toBe(1);
    leave.abort();
    pubSub.holdsCalls = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    expect((await ends).map(({ status }) => status)).toEqual(Array(3).fill("rejected"));
    expect(pubSub.countOf("history")).toBe(1);
  });

  test("BUD-11: bob's small page is read between two reads of alice's large ones", async () => {
    const { read, elsewhere, channel } = opened();
    for (let count = 0; count < 8; count++)
      await elsewhere.append({ channel, events: [status({ note: "x".repeat(900_000) })] });
    const ended: string[] = [];
    const page = (name: string, limit: number) =>
      read({ waitMs: 0, limit, grant: someGrant({ userId: name }) }).then(() => ended.push(name));
    await Promise.all([...Array.from({ length: 3 }, () => page("alice", 1_000)), page("bob", 1)]);
    expect(ended).toEqual(["bob", "alice", "alice", "alice"]);
  });

  test("READ-4: an event published at any instant of the wait is the answer", async () => {
    // Far more instants than a read has: each call is carried out, then its answer arrives.
    for (let instant = 0; instant < 16; instant++) {
      const { read, publish, pubSub, feeds } = opened();
      pubSub.holdsCalls = true;
      const answer = read();
      for (let step = 0; step < instant; step++) await pubSub.proceed();
      await publish();
      for (let step = 0; step < 16; step++) await pubSub.proceed();
      expect(await answer).toMatchObject({
        type: "events",
        texts: [expect.stringContaining('-1"')],
        resumed: null,
      });
      expect([feeds.size, pubSub.subscriptions]).toEqual([0, 0]);
    }
  });

  test("READ-4: when the time is up there is nothing, and nothing is watched any more", async () => {
    const { read, clock, feeds } = opened();
    const answer = read({ after: { epoch: "", offset: 0 } });
    await turn();
    expect(feeds.size).toBe(1);
    clock.advance(25_000);
    expect(await answer).toEqual({ type: "events", texts: [], lastEventId: "0", resumed: true, frames: [] });
    expect(feeds.size).toBe(0);
  });

  test("READ-4: a read ends when its client goes", async () => {
    const { read, leave, feeds } = opened();
    const answer = read();
    await turn();
    leave.abort();
    await answer;
    expect(feeds.size).toBe(0);
  });

  test("READ-4: a broker that is away is said to be, at whatever call, and nothing is left behind", async () => {
    for (const name of ["subscribe", "snapshot", "history"]) {
      const { read, pubSub, feeds } = opened();
      pubSub.fault = (call) => (call.name === name ? new BrokerUnavailable("away") : undefined);
      await expect(read()).rejects.toBeInstanceOf(BrokerUnavailable);
      expect([feeds.size, pubSub.subscriptions]).toEqual([0, 0]);
    }
  });

  test("RES-9: a thousand that wait for one analysis cost the broker no more than one watcher", async () => {
    const { read, publish, pubSub, elsewhere, channel } = opened();
    await publish();
    const { position } = await elsewhere.snapshot(channel);
    const answers = Array.from({ length: 1_000 }, () => read({ after: position }));
    await turn();
    await publish();
    for (const answer of await Promise.all(answers))
      expect(answer).toMatchObject({ texts: [expect.stringContaining('-2"')], resumed: true });
    expect(pubSub.made.map(({ name }) => name)).toEqual(["subscribe", "snapshot"]);
  });

  test("READ-3: without patience nothing is subscribed", async () => {
    const { read, pubSub, publish } = opened();
    await publish();
    expect(await read({ waitMs: 0, after: "unreadable" })).toMatchObject({
      resumed: false,
      texts: [expect.anything()],
    });
    expect(pubSub.countOf("subscribe")).toBe(0);
  });
});
