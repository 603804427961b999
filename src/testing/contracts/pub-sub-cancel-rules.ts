import { expect, test } from "bun:test";
import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import { CollectingSubscriber } from "../collecting-subscriber.ts";
import { completed, failed, fault, result, status } from "../encoded-events.ts";
import { eventually } from "../eventually.ts";
import { someAnalysis } from "../some-analysis.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

export const REQUEST: CancelRequest = {
  requested_at: "2026-11-28T10:00:00.000Z",
  user_id: "alice",
  reason: 'too "slow" for ö',
};

export type Cancelling = PubSubPort & Required<Pick<PubSubPort, "requestCancel" | "signOfLife">>;

export function cancelRules({ node: anyNode, broker }: PubSubRuleContext): void {
  const node = async () => (await anyNode()) as Cancelling;

  test("PS-38 a request to cancel is told to subscribers on every node and read back by each", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const [heardByOne, heardByTwo] = [new CollectingSubscriber(), new CollectingSubscriber()];
    await one.subscribe(channel, heardByOne);
    await two.subscribe(channel, heardByTwo);
    await one.append({ channel, events: [status()] });
    expect(await one.requestCancel(channel, REQUEST)).toBe("requested");
    for (const heard of [heardByOne, heardByTwo]) {
      await heard.until(() => heard.cancels.length === 1);
      expect(heard.cancels).toEqual([REQUEST]);
    }
    expect((await two.snapshot(channel)).cancel).toEqual(REQUEST);
    expect((await two.snapshot(channel)).position.offset).toBe(1);
  });

  test("PS-38 a second request leaves the first in force", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    await one.requestCancel(channel, REQUEST);
    expect(await two.requestCancel(channel, { ...REQUEST, reason: "another" })).toBe("requested");
    expect((await one.snapshot(channel)).cancel).toEqual(REQUEST);
  });

  test("PS-38 an analysis without events may be cancelled, and its first event does not end the request", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    await one.requestCancel(channel, { ...REQUEST, user_id: null, reason: null });
    expect(await two.snapshot(channel)).toMatchObject({
      position: { epoch: "", offset: 0 },
      cancel: { user_id: null, reason: null },
    });
    const first = await two.append({ channel, events: [status({ attemptId: "first" })] });
    expect(first).toMatchObject({ type: "stored", firstOffset: 1, cancelRequested: true });
    expect((await one.snapshot(channel)).cancel).toMatchObject({ user_id: null });
  });

  test("PS-38 an analysis that has ended is not cancelled", async () => {
    const publisher = await node();
    for (const end of [result(), fault(), failed()]) {
      const channel = someAnalysis();
      await publisher.append({ channel, events: [status(), end] });
      expect(await publisher.requestCancel(channel, REQUEST)).toBe("ended");
      expect((await publisher.snapshot(channel)).cancel).toBeUndefined();
    }
  });

  test("PS-39 every append answers whether a request is in force, a duplicate as well", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const request = {
      channel,
      events: [status()],
      deduplicate: { by: "key", name: "once", scope: "channel", windowMs: 60_000, rememberMs: 60_000 },
    } as const;
    expect((await one.append(request)) as object).not.toHaveProperty("cancelRequested");
    await two.requestCancel(channel, REQUEST);
    expect(await one.append(request)).toMatchObject({ type: "duplicate", cancelRequested: true });
    expect(await two.append({ channel, events: [status()] })).toMatchObject({ cancelRequested: true });
  });

  test("PS-39 a terminal event ends the request, and so does a new attempt", async () => {
    const publisher = await node();
    const ways = [
      { ends: [result()], after: [status()] },
      { ends: [fault()], after: [status()] },
      { ends: [completed()], after: [status()] },
      { ends: [completed(), status()], after: [status()] },
      { ends: [status({ attemptId: "second" })], after: [status({ attemptId: "second" })] },
      { ends: [status(), status({ attemptId: "second" }), status()], after: [status()] },
    ];
    for (const { ends, after } of ways) {
      const channel = someAnalysis();
      await publisher.append({ channel, events: [status({ attemptId: "first" }), status()] });
      await publisher.requestCancel(channel, REQUEST);
      for (const events of [ends, after]) {
        expect((await publisher.append({ channel, events })) as object).not.toHaveProperty("cancelRequested");
        expect((await publisher.snapshot(channel)).cancel).toBeUndefined();
      }
      expect(await publisher.signOfLife(channel)).toEqual({});
    }
  });

  test("PS-39 after a request has ended, a later one is in force and told", async () => {
    const [publisher, reader] = [await node(), await node()];
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await reader.subscribe(channel, heard);
    await publisher.append({ channel, events: [status()] });
    await publisher.requestCancel(channel, REQUEST);
    await publisher.append({ channel, events: [fault()] });
    await publisher.append({ channel, events: [status()] });
    const again = { ...REQUEST, reason: "again" };
    expect(await publisher.requestCancel(channel, again)).toBe("requested");
    await heard.until(() => heard.cancels.length === 2);
    expect(heard.cancels).toEqual([REQUEST, again]);
    expect((await reader.snapshot(channel)).cancel).toEqual(again);
  });

  test("PS-39 a request is gone with the channel's counter", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status(), status()] });
    await publisher.requestCancel(channel, REQUEST);
    await broker().loseEverything();
    await eventually("nothing of it is left", async () => {
      const { cancel, position } = await publisher.snapshot(channel);
      return cancel === undefined && position.offset === 0;
    });
  });

  test("PS-40 a sign of life renews when the worker was heard, stores nothing, and answers whether a request is in force", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    await one.append({ channel, events: [status()] });
    const before = await two.snapshot(channel);
    await broker().elapse(60);
    expect(await one.signOfLife(channel)).toEqual({});
    const after = await two.snapshot(channel);
    expect(after.heardAt! - before.heardAt!).toBeGreaterThanOrEqual(60);
    expect(after.position).toEqual(before.position);
    await two.requestCancel(channel, REQUEST);
    expect(await one.signOfLife(channel)).toEqual({ cancelRequested: true });
  });

  test("PS-43 a sign of life of an attempt that another has replaced renews nothing, and hears of no request", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    for (const attemptId of ["first", "second", "third"])
      await one.append({ channel, events: [status({ attemptId })] });
    await two.requestCancel(channel, REQUEST);
    const before = await two.snapshot(channel);
    await broker().elapse(60);
    for (const attemptId of ["first", "second"]) expect(await one.signOfLife(channel, attemptId)).toEqual({});
    expect((await two.snapshot(channel)).heardAt).toBe(before.heardAt!);
  });

  test("PS-43 a sign of life of the current attempt, of a new one and of none renews when the worker was heard", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    for (const attemptId of ['old "one"', 'the "second"'])
      await one.append({ channel, events: [status({ attemptId })] });
    await two.requestCancel(channel, REQUEST);
    for (const attemptId of ['the "second"', "new", undefined]) {
      const before = await two.snapshot(channel);
      await broker().elapse(60);
      expect(await one.signOfLife(channel, attemptId)).toEqual({ cancelRequested: true });
      expect((await two.snapshot(channel)).heardAt! - before.heardAt!).toBeGreaterThanOrEqual(60);
    }
    expect((await two.snapshot(channel)).attemptId).toBe('the "second"');
  });

  test("PS-41 positions() says how long the worker was silent, by the broker's clock", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const silence = async () => {
      const [{ heardAt = 0, brokerNow = 0 } = {}, unknown] = await two.positions([channel, someAnalysis()]);
      expect(unknown?.heardAt).toBeUndefined();
      return brokerNow - heardAt;
    };
    await one.append({ channel, events: [status()] });
    await broker().elapse(700);
    const before = await silence();
    expect(before).toBeGreaterThanOrEqual(700);
    await one.signOfLife(channel);
    expect(await silence()).toBeLessThan(before);
  });

  test("PS-40 a sign of life makes no channel", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    expect(await publisher.signOfLife(channel)).toEqual({});
    expect(await publisher.snapshot(channel)).toMatchObject({
      position: { epoch: "", offset: 0 },
      heardAt: undefined,
    });
  });
}
