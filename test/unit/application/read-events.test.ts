import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { Feeds } from "../../../src/application/fan-out/feeds.ts";
import { ReadEvents, type ReadEventsRequest } from "../../../src/application/read-events.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { status } from "../../support/encoded-events.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { someAnalysis } from "../../support/some-analysis.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";

describe("ReadEvents", () => {
  const opened = () => {
    const node = memoryNode();
    const channel = someAnalysis();
    const feeds = new Feeds(node.pubSub, node.clock, node.telemetry);
    const reading = new ReadEvents(node.pubSub, feeds, node.clock, "allow");
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
    expect(await answer).toEqual({ type: "events", texts: [], lastEventId: "0", resumed: true });
    expect(feeds.size).toBe(0);
  });

  test("READ-4: whoever goes is not waited for", async () => {
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
