import { describe, expect, test } from "bun:test";
import { ClaimsAndViewers } from "../../../src/application/access-policy.ts";
import { FairQueue } from "../../../src/application/fair-queue.ts";
import { FeedRegistry } from "../../../src/application/fan-out/feed-registry.ts";
import { ReadEvents, type ReadEventsRequest } from "../../../src/application/read-events.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";

describe("READ-2: a read that waits", () => {
  const opened = (size = 1_000) => {
    const node = memoryNode({ size });
    const channel = someAnalysis();
    const feeds = new FeedRegistry(node.pubSub, node.clock, node.telemetry);
    const reads = new FairQueue(node.clock, { perUser: 20, total: 30, begun: 2 });
    const access = new ClaimsAndViewers("allow");
    const reading = new ReadEvents(node.pubSub, reads, feeds, node.clock, access);
    const read = (request: Partial<ReadEventsRequest> = {}) =>
      reading.execute({
        analysisId: analysisIdOf(channel),
        grant: someGrant(),
        after: undefined,
        limit: 100,
        waitMs: 25_000,
        abandoned: new AbortController().signal,
        ...request,
      });
    const publish = async (count = 1) => {
      const events = Array.from({ length: count }, () => status());
      await node.elsewhere.append({ channel, events });
    };
    return { ...node, channel, feeds, read, publish };
  };

  test("is refused what it may no longer see, at any instant that other viewers are declared", async () => {
    const bob = new Set(["bob"]);
    for (let instant = 0; instant < 12; instant++) {
      const { read, publish, pubSub, elsewhere, channel, feeds } = opened();
      pubSub.holdsCalls = true;
      const answer = read();
      for (let step = 0; step < instant; step++) await pubSub.proceed();
      await elsewhere.declareViewers(channel, bob);
      await publish();
      for (let step = 0; step < 16; step++) await pubSub.proceed();
      expect([instant, await answer]).toEqual([instant, { type: "not_allowed" }]);
      expect(feeds.size).toBe(0);
    }
  });

  test("whose client had gone before it began to wait does not wait", async () => {
    const { read, pubSub, feeds } = opened();
    const leave = new AbortController();
    pubSub.holdsCalls = true;
    const answer = read({ abandoned: leave.signal });
    leave.abort();
    for (let step = 0; step < 16; step++) await pubSub.proceed();
    await turn();
    expect(await Promise.race([answer, turn()])).toMatchObject({ texts: [] });
    expect(feeds.size).toBe(0);
  });

  test("READ-3: says where it ended: the last event, else the good position given, else 0", async () => {
    const { read, publish, elsewhere, channel } = opened(3);
    const page = async (request: Partial<ReadEventsRequest>) => {
      const answer = await read({ waitMs: 0, ...request });
      if (answer.type !== "events") throw new Error(answer.type);
      const offset = answer.lastEventId.split("-")[1] ?? answer.lastEventId;
      return [answer.texts.length, offset, answer.resumed];
    };
    expect(await page({})).toEqual([0, "0", null]);
    expect(await page({ after: { epoch: "gone", offset: 4 } })).toEqual([0, "0", false]);
    for (let count = 0; count < 7; count++) await publish();
    const { epoch } = (await elsewhere.snapshot(channel)).position;
    expect(await page({ limit: 2 })).toEqual([2, "6", null]);
    expect(await page({ limit: 2, after: { epoch, offset: 6 } })).toEqual([1, "7", true]);
    expect(await page({ after: { epoch, offset: 7 } })).toEqual([0, "7", true]);
    expect(await page({ after: { epoch, offset: 1 } })).toEqual([3, "7", false]);
  });
});
