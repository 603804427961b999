import { expect, test } from "bun:test";
import { cancelled, result, status } from "../encoded-events.ts";
import { eventually } from "../eventually.ts";
import { someAnalysis } from "../some-analysis.ts";
import { type Cancelling, REQUEST } from "./pub-sub-cancel-rules.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

/** The request to cancel that was in force when a run ended. */
export function endedCancelRules({ node: anyNode, broker }: PubSubRuleContext): void {
  const node = async () => (await anyNode()) as Cancelling;

  test.each([
    ["a status of stage cancelled", cancelled],
    ["a result", result],
  ])("PS-45 a snapshot after %s has the request that was in force, on every node", async (_, end) => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    await one.append({ channel, events: [status()] });
    await one.requestCancel(channel, REQUEST);
    expect((await two.snapshot(channel)).cancelAtEnd).toBeUndefined();
    await one.append({ channel, events: [status(), end()] });
    // On a Cluster the gateway removes the copy for workers only then.
    for (let n = 0; n < 3; n++) {
      const { cancel, cancelAtEnd } = await two.snapshot(channel);
      expect([cancel, cancelAtEnd]).toEqual([undefined, REQUEST]);
      expect(await two.append({ channel, events: [end()] })).not.toHaveProperty("cancelRequested");
      expect(await two.signOfLife(channel)).toEqual({});
    }
  });

  test("PS-45 a request for an analysis without events is that of its first run", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.requestCancel(channel, { ...REQUEST, user_id: null, reason: null });
    await publisher.append({ channel, events: [cancelled()] });
    expect((await publisher.snapshot(channel)).cancelAtEnd).toMatchObject({ user_id: null });
  });

  test.each([
    ["another attempt", status({ attemptId: "b" })],
    ["a status that reopens it", status()],
  ])("PS-45 the request of a run is gone with %s, also once that ends", async (_, next) => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status()] });
    await publisher.requestCancel(channel, REQUEST);
    await publisher.append({ channel, events: [cancelled()] });
    await publisher.append({ channel, events: [next] });
    const gone = async () => {
      const { cancel, cancelAtEnd } = await publisher.snapshot(channel);
      expect([cancel, cancelAtEnd]).toEqual([undefined, undefined]);
    };
    await gone();
    await publisher.append({
      channel,
      events: [result(next.attemptId ? { attemptId: next.attemptId } : {})],
    });
    await gone();
    const other = { ...REQUEST, user_id: "bob" };
    await publisher.append({ channel, events: [status({ attemptId: "c" })] });
    expect(await publisher.requestCancel(channel, other)).toBe("requested");
    await publisher.append({ channel, events: [cancelled({ attemptId: "c" })] });
    await eventually("it is that of the last run", async () => {
      const { cancelAtEnd } = await publisher.snapshot(channel);
      return cancelAtEnd?.user_id === "bob";
    });
  });

  test("PS-45 an end that nobody asked for has no request, nor has a life of the counter after it", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status(), cancelled()] });
    expect((await publisher.snapshot(channel)).cancelAtEnd).toBeUndefined();
    await publisher.append({ channel, events: [status()] });
    await publisher.requestCancel(channel, REQUEST);
    await broker().loseEverything();
    await publisher.append({ channel, events: [status(), cancelled()] });
    expect((await publisher.snapshot(channel)).cancelAtEnd).toBeUndefined();
  });
}
