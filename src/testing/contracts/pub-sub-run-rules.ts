import { expect, test } from "bun:test";
import type { AnalysisChannel } from "../../domain/channel.ts";
import { completed, fault, queued, result, status } from "../encoded-events.ts";
import { eventually } from "../eventually.ts";
import { someAnalysis } from "../some-analysis.ts";
import { type Cancelling, REQUEST } from "./pub-sub-cancel-rules.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

/** The run of a worker that a request to cancel is for. */
export function runRules({ node: anyNode, broker }: PubSubRuleContext): void {
  const node = async () => (await anyNode()) as Cancelling;

  test("PS-38 an analysis of stage completed is not cancelled, and its result may follow", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status(), completed()] });
    expect(await publisher.requestCancel(channel, REQUEST)).toBe("ended");
    await publisher.append({ channel, events: [result()] });
    expect(await publisher.requestCancel(channel, REQUEST)).toBe("ended");
    await publisher.append({ channel, events: [status()] });
    expect(await publisher.requestCancel(channel, REQUEST)).toBe("requested");
  });

  test("PS-39 a request stays in force over more changes of stage than a channel keeps", async () => {
    const [publisher, reader] = [await node(), await node()];
    const channel = someAnalysis();
    const changes = (first: number, count: number) =>
      Array.from({ length: count }, (_, n) => status({ stage: (first + n) % 2 ? "a" : "b" }));
    await publisher.append({ channel, events: changes(0, 3) });
    await publisher.requestCancel(channel, REQUEST);
    for (let first = 3; first < 243; first += 60)
      expect(await publisher.append({ channel, events: changes(first, 60) })).toMatchObject({
        cancelRequested: true,
      });
    expect((await reader.snapshot(channel)).cancel).toEqual(REQUEST);
    await publisher.append({ channel, events: [status({ attemptId: "second" })] });
    expect((await reader.snapshot(channel)).cancel).toBeUndefined();
  });

  test("PS-42 a request that came while the analysis was queued is for the attempt that begins then, and for no later one", async () => {
    const publisher = await node();
    const first = { attemptId: "first" };
    const ways = [
      { before: [], queue: [] },
      { before: [], queue: [queued()] },
      { before: [], queue: [queued({ attemptId: "job" })] },
      { before: [status({ attemptId: "zero" })], queue: [queued()] },
      { before: [status({ attemptId: "zero" }), fault({ attemptId: "zero" })], queue: [queued()] },
    ];
    for (const { before, queue } of ways) {
      const channel = someAnalysis();
      for (const event of [...before, ...queue]) await publisher.append({ channel, events: [event] });
      await publisher.requestCancel(channel, REQUEST);
      await publisher.append({ channel, events: [queued()] });
      const begun = await publisher.append({ channel, events: [status(first), status(first)] });
      expect(begun).toMatchObject({ cancelRequested: true });
      expect((await publisher.snapshot(channel)).cancel).toEqual(REQUEST);
      await publisher.append({ channel, events: [status({ attemptId: "second" })] });
      expect((await publisher.snapshot(channel)).cancel).toBeUndefined();
    }
  });

  test("PS-42 a request that came before the analysis was queued again is not for the next attempt", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status({ attemptId: "first" })] });
    await publisher.requestCancel(channel, REQUEST);
    expect(await publisher.append({ channel, events: [queued()] })).toMatchObject({ cancelRequested: true });
    await publisher.append({ channel, events: [status({ attemptId: "second" })] });
    expect((await publisher.snapshot(channel)).cancel).toBeUndefined();
  });

  test("PS-39 a request is not in force on another life of the counter", async () => {
    const [lasting, brief] = [await node(), (await anyNode({ ttlMs: 600 })) as Cancelling];
    let channel: AnalysisChannel;
    do {
      channel = someAnalysis();
      await brief.append({ channel, events: [status(), status()] });
      await lasting.requestCancel(channel, REQUEST);
      // On a slow machine the channel may have expired before the request came.
    } while ((await brief.snapshot(channel)).position.offset === 0);
    await eventually("the channel has expired", async () => {
      await broker().elapse(100);
      return (await brief.snapshot(channel)).position.offset === 0;
    });
    expect((await brief.snapshot(channel)).cancel).toBeUndefined();
    const events = Array.from({ length: 6 }, () => status());
    expect((await brief.append({ channel, events })) as object).not.toHaveProperty("cancelRequested");
    expect((await brief.snapshot(channel)).cancel).toBeUndefined();
  });
}
