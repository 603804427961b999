import { expect, test } from "bun:test";
import { RequestTooLarge } from "../../application/errors.ts";
import type { DeduplicationKey } from "../../application/ports/deduplication-key.ts";
import type { AppendOutcome, PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import type { ChannelName } from "../../domain/channel.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import { CollectingSubscriber } from "../collecting-subscriber.ts";
import { notice, result, status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

export function appendRules({ node }: PubSubRuleContext): void {
  test("PS-1 a stored event is found on any node at once", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const outcome = await one.append({ channel, events: [status({ note: "a" }), status({ note: "b" })] });
    expect(outcome).toMatchObject({ type: "stored", firstOffset: 1, count: 2 });
    const page = await two.history(channel, undefined, 10);
    expect(page.events.map((event) => event.position.offset)).toEqual([1, 2]);
    expect(page.position).toEqual({ epoch: epochOf(outcome), offset: 2 });
    expect((await two.snapshot(channel)).position).toEqual(page.position);
  });

  test("PS-2 PS-13 a batch with one refused event stores and delivers none of it", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await publisher.subscribe(channel, heard);
    await publisher.append({ channel, events: [result({ attemptId: "a" })] });
    const batch = [status({ attemptId: "b" }), status(), status({ attemptId: "a" }), status()];
    expect(await publisher.append({ channel, events: batch })).toEqual({
      type: "refused",
      code: "attempt_superseded",
      index: 2,
    });
    expect((await publisher.snapshot(channel)).position.offset).toBe(1);
    await publisher.append({ channel, events: [status({ note: "after", attemptId: "c" })] });
    await heard.until(() => heard.events.length >= 2);
    expect(heard.offsets).toEqual([1, 2]);
    expect(await textsOf(publisher, channel)).toHaveLength(2);
  });

  test("PS-37 a request as large as the broker takes is stored, and one that is too large harms nobody", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    expect(publisher.mostBytes).toBeWithin(1, MAX_EVENT_BYTES + 1);
    // An event has a few hundred bytes beside its note.
    await publisher.append({ channel, events: [status({ note: "x".repeat(publisher.mostBytes - 1_000) })] });
    const large = publisher.append({ channel, events: [status({ note: "x".repeat(2 * MAX_EVENT_BYTES) })] });
    const [outcome] = await Promise.allSettled([
      large,
      publisher.append({ channel, events: [status({ note: "after" })] }),
    ]);
    if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(RequestTooLarge);
    const { position } = await publisher.snapshot(channel);
    expect(position.offset).toBe(outcome.status === "rejected" ? 2 : 3);
  });

  test("PS-2 a first batch that is refused leaves no channel behind", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const batch = [result({ attemptId: "a" }), status({ attemptId: "a" })];
    expect(await publisher.append({ channel, events: batch })).toEqual({
      type: "refused",
      code: "attempt_ended",
      index: 1,
    });
    expect(await publisher.snapshot(channel)).toMatchObject({
      position: { epoch: "", offset: 0 },
      lastStatus: undefined,
      currentTerminal: undefined,
      stages: [],
      spans: [],
      heardAt: undefined,
    });
  });

  test("PS-3 offsets have no hole and no double when two nodes append at once", async () => {
    const nodes = [await node(), await node()];
    const channel = someAnalysis();
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        nodes[n % 2]!.append({ channel, events: Array.from({ length: 1 + (n % 3) }, () => status()) }),
      ),
    );
    const taken = outcomes.flatMap((outcome) => {
      if (outcome.type !== "stored") throw new Error(outcome.type);
      return Array.from({ length: outcome.count }, (_, n) => outcome.firstOffset + n);
    });
    const wanted = Array.from({ length: taken.length }, (_, n) => n + 1);
    expect(taken.sort((a, b) => a - b)).toEqual(wanted);
    const page = await nodes[0]!.history(channel, undefined, 1_000);
    expect(page.events.map((event) => event.position.offset)).toEqual(wanted);
    expect(new Set(outcomes.map(epochOf)).size).toBe(1);
  });

  test("PS-4 appends that nobody waited for are stored in the order of the calls", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        publisher.append({ channel, events: [status({ note: `${n}` })] }),
      ),
    );
    expect(
      outcomes.map((outcome) => (outcome.type === "stored" ? outcome.firstOffset : outcome.type)),
    ).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  });

  test("PS-29 each append of one turn has an outcome of its own, judged by those before it", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await publisher.subscribe(channel, heard);
    const deduplicate = {
      by: "key",
      name: "k",
      scope: "channel",
      windowMs: 9_000,
      rememberMs: 9_000,
    } as const;
    const append = (events: readonly EncodedEvent[], by?: DeduplicationKey) =>
      publisher.append({ channel, events, ...(by !== undefined && { deduplicate: by }) });
    const outcomes = await Promise.all([
      append([status({ attemptId: "a" }), result({ attemptId: "a" })], deduplicate),
      append([status({ attemptId: "a" })]),
      append([status()], deduplicate),
      append([status({ attemptId: "b", note: "keyed" })], { ...deduplicate, name: "l" }),
      append([status({ attemptId: "b" })], { ...deduplicate, name: "l" }),
      append([status({ attemptId: "c" }), status({ attemptId: "a" })]),
      append([status({ attemptId: "c", note: "last" })]),
    ]);
    const epoch = epochOf(outcomes[0]!);
    expect(outcomes).toEqual([
      { type: "stored", epoch, firstOffset: 1, count: 2 },
      { type: "refused", code: "attempt_ended", index: 0 },
      { type: "duplicate", epoch, firstOffset: 1, count: 2 },
      { type: "stored", epoch, firstOffset: 3, count: 1 },
      { type: "duplicate", epoch, firstOffset: 3, count: 1 },
      { type: "refused", code: "attempt_superseded", index: 1 },
      { type: "stored", epoch, firstOffset: 4, count: 1 },
    ]);
    await heard.until(() => heard.events.length >= 4);
    expect(heard.events.map(({ kind, reopens }) => [kind, reopens])).toEqual([
      ["status", false],
      ["result", false],
      ["status", true],
      ["status", true],
    ]);
    const snapshot = await publisher.snapshot(channel);
    expect(snapshot).toMatchObject({ attemptId: "c", currentTerminal: undefined });
    expect(snapshot.lastStatus?.text).toContain('"note":"last"');
    expect((await publisher.history(channel, undefined, 10)).events).toEqual(heard.events);
  });

  test("PS-5 the text is the event_id and then the members, byte for byte", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const members =
      '"event_type":"status_update","7":12345678901234567890,"message":"Prüfung läuft 🎬 \\u0000 %s","x":1.0}';
    const event = { ...status(), members };
    const heard = new CollectingSubscriber();
    await publisher.subscribe(channel, heard);
    const epoch = epochOf(await publisher.append({ channel, events: [event] }));
    expect(epoch).toMatch(/^[0-9a-z]{1,32}$/);
    expect(await textsOf(publisher, channel)).toEqual([`{"event_id":"${epoch}-1",${members}`]);
    await heard.until(() => heard.events.length === 1);
    expect(heard.events[0]).toEqual({
      position: { epoch, offset: 1 },
      kind: "status",
      reopens: false,
      text: `{"event_id":"${epoch}-1",${members}`,
    });
  });

  test("PS-5 an event of a mebibyte goes through", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await publisher.subscribe(channel, heard);
    await publisher.append({ channel, events: [status({ note: "ü".repeat(500_000) })] });
    await heard.until(() => heard.events.length === 1);
    expect(heard.events[0]?.text).toBe((await textsOf(publisher, channel))[0]);
    expect((await publisher.snapshot(channel)).lastStatus?.text.length).toBeGreaterThan(500_000);
  });

  test("PS-3 a batch of 500 gets 500 offsets of one epoch, and is delivered in order", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await publisher.subscribe(channel, heard);
    await publisher.append({ channel, events: [status()] });
    const events = Array.from({ length: 500 }, (_, n) => status({ stage: `stage-${n % 9}`, note: `${n}` }));
    expect(await publisher.append({ channel, events })).toMatchObject({ firstOffset: 2, count: 500 });
    await heard.until(() => heard.events.length >= 501);
    expect(heard.offsets).toEqual(Array.from({ length: 501 }, (_, n) => n + 1));
    expect((await publisher.history(channel, undefined, 1_000)).events).toEqual(heard.events);
  });

  test("PS-3 notices are numbered, kept and delivered alike", async () => {
    const publisher = await node();
    const heard = new CollectingSubscriber();
    await publisher.subscribe("user:al ice@example.com", heard);
    const append = () => publisher.append({ channel: "user:al ice@example.com", events: [notice()] });
    expect(await append()).toMatchObject({ type: "stored", firstOffset: 1 });
    expect(await append()).toMatchObject({ type: "stored", firstOffset: 2 });
    await heard.until(() => heard.events.length === 2);
    expect(heard.events.map(({ kind, position }) => [kind, position.offset])).toEqual([
      ["notice", 1],
      ["notice", 2],
    ]);
    expect((await publisher.history("user:al ice@example.com", undefined, 10)).events).toEqual(heard.events);
  });
}

export function epochOf(outcome: AppendOutcome): string {
  if (outcome.type === "refused") throw new Error(`refused: ${outcome.code}`);
  return outcome.epoch;
}

async function textsOf(node: PubSubPort, channel: ChannelName): Promise<string[]> {
  return (await node.history(channel, undefined, 1_000)).events.map((event) => event.text);
}
