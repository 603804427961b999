import { expect, test } from "bun:test";
import { CollectingSubscriber } from "../collecting-subscriber.ts";
import { completed, failed, fault, result, status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import { inTime } from "./in-time.ts";
import { epochOf } from "./pub-sub-append-rules.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

export function snapshotRules({ node, broker }: PubSubRuleContext): void {
  test("PS-17 snapshot() of an unknown analysis gives nothing but the broker's clock", async () => {
    const reader = await node();
    const { brokerNow, ...nothing } = await reader.snapshot(someAnalysis());
    expect(brokerNow).toBeGreaterThan(Date.UTC(2026, 0));
    expect(nothing).toEqual({
      position: { epoch: "", offset: 0 },
      lastStatus: undefined,
      currentTerminal: undefined,
      stages: [],
      attemptId: undefined,
      spans: [],
      oldestKept: 1,
      viewers: undefined,
      heardAt: undefined,
    });
  });

  test("PS-17 snapshot() gives the last status, the current terminal event, stage marks, epochs and when the worker was heard", async () => {
    const [publisher, reader] = [await node(), await node()];
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await publisher.subscribe(channel, heard);
    const epoch = epochOf(
      await publisher.append({
        channel,
        events: [
          status({ stage: "uploading", timestamp: "2026-11-24T03:00:00Z" }),
          status({ stage: "uploading", timestamp: "2026-11-24T03:00:01Z" }),
          status({ stage: "model_inference", timestamp: "2026-11-24T03:00:02.5Z" }),
          result({ timestamp: "2026-11-24T03:00:03Z" }),
          completed({ timestamp: "2026-11-24T03:00:04Z" }),
        ],
      }),
    );
    await heard.until(() => heard.events.length === 5);
    const snapshot = await reader.snapshot(channel);
    expect(snapshot).toMatchObject({
      position: { epoch, offset: 5 },
      lastStatus: heard.events[4]!,
      currentTerminal: heard.events[3]!,
      stages: [
        { stage: "uploading", at: "2026-11-24T03:00:00Z", offset: 1 },
        { stage: "model_inference", at: "2026-11-24T03:00:02.5Z", offset: 3 },
        { stage: "completed", at: "2026-11-24T03:00:04Z", offset: 5 },
      ],
      spans: [{ epoch, firstOffset: 1 }],
      viewers: undefined,
    });
    expect(snapshot.heardAt).toBeGreaterThan(0);
    expect(snapshot.brokerNow).toBeGreaterThanOrEqual(snapshot.heardAt!);
  });

  test("PS-17 the attempt that is current, also after an event that names none", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({
      channel,
      events: [status({ attemptId: "first" }), status({ attemptId: "second" })],
    });
    await publisher.append({ channel, events: [status()] });
    expect(await publisher.snapshot(channel)).toMatchObject({ attemptId: "second" });
  });

  test("PS-17 stage failed is the last status and the terminal event at once", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status(), failed()] });
    const { lastStatus, currentTerminal } = await publisher.snapshot(channel);
    expect(lastStatus).toMatchObject({ kind: "status_failed", position: { offset: 2 } });
    expect(currentTerminal).toEqual(lastStatus!);
  });

  test("PS-17 the last terminal event is current until a status reopens the analysis", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status({ stage: "uploading" }), result(), fault()] });
    expect((await publisher.snapshot(channel)).currentTerminal?.kind).toBe("error");
    await publisher.append({ channel, events: [status({ stage: "initializing" })] });
    const reopened = await publisher.snapshot(channel);
    expect(reopened.currentTerminal).toBeUndefined();
    expect(reopened.lastStatus).toMatchObject({ reopens: true, position: { offset: 4 } });
    expect(reopened.stages.map(({ stage, offset }) => [stage, offset])).toEqual([["initializing", 4]]);
  });

  test("PS-17 silence is the difference of two readings of the broker's clock", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [status()] });
    await broker().elapse(60);
    const { heardAt, brokerNow } = await publisher.snapshot(channel);
    expect(brokerNow - heardAt!).toBeGreaterThanOrEqual(60);
  });

  test("PS-18 the snapshot is right though everything it is made of was trimmed", async () => {
    const publisher = await node({ size: 5 });
    const channel = someAnalysis();
    const epoch = epochOf(
      await publisher.append({
        channel,
        events: [
          status({ stage: "uploading" }),
          status({ stage: "post_processing", note: "last" }),
          result(),
        ],
      }),
    );
    for (let n = 0; n < 100; n++) await publisher.append({ channel, events: [fault({ note: `${n}` })] });
    const snapshot = await publisher.snapshot(channel);
    expect(snapshot.position).toEqual({ epoch, offset: 103 });
    expect(snapshot.lastStatus).toMatchObject({ position: { epoch, offset: 2 }, kind: "status" });
    expect(snapshot.lastStatus?.text).toContain('"note":"last"');
    expect(snapshot.currentTerminal).toMatchObject({ position: { epoch, offset: 103 }, kind: "error" });
    expect(snapshot.stages.map(({ stage, offset }) => [stage, offset])).toEqual([
      ["uploading", 1],
      ["post_processing", 2],
    ]);
    expect((await publisher.history(channel, undefined, 1)).events[0]?.position.offset).toBeGreaterThan(90);
  });

  test("PS-17 snapshot() gives the 200 newest of many changes of stage", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const events = Array.from({ length: 250 }, (_, n) => status({ stage: `stage-${n}` }));
    await publisher.append({ channel, events });
    const { stages } = await publisher.snapshot(channel);
    expect(stages).toHaveLength(200);
    expect([stages[0]?.stage, stages.at(-1)?.stage]).toEqual(["stage-50", "stage-249"]);
  });

  test("PS-24 viewers are told to subscribers on every node and read back by each", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const [heardByOne, heardByTwo] = [new CollectingSubscriber(), new CollectingSubscriber()];
    await one.subscribe(channel, heardByOne);
    await two.subscribe(channel, heardByTwo);
    const names = new Set(["alice", 'b"ö\\b', "42"]);
    await one.declareViewers(channel, names);
    expect((await two.snapshot(channel)).viewers).toEqual(names);
    await two.declareViewers(channel, "*");
    await one.declareViewers(channel, new Set());
    for (const heard of [heardByOne, heardByTwo]) {
      await heard.until(() => heard.viewers.length === 3);
      expect(heard.viewers).toEqual([names, "*", new Set<string>()]);
      expect(heard.events).toEqual([]);
    }
    expect((await two.snapshot(channel)).viewers).toEqual(new Set<string>());
  });

  test("PS-24 declaring viewers makes no event and no channel", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.declareViewers(channel, new Set(["alice"]));
    expect(await publisher.snapshot(channel)).toMatchObject({
      position: { epoch: "", offset: 0 },
      spans: [],
      oldestKept: 1,
      heardAt: undefined,
    });
    expect(await publisher.append({ channel, events: [status()] })).toMatchObject({ firstOffset: 1 });
    expect((await publisher.snapshot(channel)).viewers).toEqual(new Set(["alice"]));
  });

  test("PS-24 viewers live as long as the history: from the declaration or the last event", () =>
    inTime(640, async () => {
      const publisher = await node({ ttlMs: 400 });
      const [silent, busy] = [someAnalysis(), someAnalysis()];
      await publisher.declareViewers(silent, "*");
      await publisher.declareViewers(busy, "*");
      await broker().elapse(250);
      await publisher.append({ channel: busy, events: [status()] });
      await broker().elapse(250);
      expect((await publisher.snapshot(silent)).viewers).toBeUndefined();
      expect((await publisher.snapshot(busy)).viewers).toBe("*");
      await broker().elapse(250);
      expect((await publisher.snapshot(busy)).viewers).toBeUndefined();
    }));
}
