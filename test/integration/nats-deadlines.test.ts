import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";
import type { DeduplicationKey } from "../../src/application/ports/deduplication-key.ts";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { result, status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { NatsNodes } from "../support/nats-nodes.ts";
import { needs } from "../support/needs.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { useNats } from "../support/use-nats.ts";

/** NATS stores nothing that counts after its caller was answered, and nothing twice, however long the way to it takes. */
describe.skipIf(!needs("nats-server"))("appends that reach NATS late, or twice", () => {
  const nats = useNats();
  let proxy: TcpProxy;
  let nodes: NatsNodes;
  let direct: NatsNodes;

  beforeAll(async () => {
    proxy = await TcpProxy.start(nats);
    nodes = new NatsNodes(proxy);
    direct = new NatsNodes(nats);
  });
  afterEach(async () => {
    nats.thaw();
    proxy.resume();
    proxy.onData = () => {};
    await nodes.close();
    await direct.close();
  });

  const say = (node: PubSubPort, channel: AnalysisChannel, note: string, deduplicate?: DeduplicationKey) =>
    node.append({ channel, events: [status({ note })], ...(deduplicate && { deduplicate }) });

  async function notes(node: PubSubPort, channel: AnalysisChannel): Promise<string[]> {
    const { events } = await node.history(channel, undefined, 1_000);
    return events.map(({ text }) => String(JSON.parse(text).note));
  }

  async function untilUp(node: PubSubPort): Promise<void> {
    await eventually("the node is up", async () => {
      const health = node.health();
      return health.status === "up" && health.refuses === undefined;
    });
  }

  /** Resolves with how an append without an answer ends, and after how many milliseconds. */
  async function failed(append: Promise<unknown>): Promise<{ error: unknown; after: number }> {
    const started = performance.now();
    const error = await append.then(
      () => "stored",
      (reason: unknown) => reason,
    );
    return { error, after: performance.now() - started };
  }

  test("PS-30 PS-29 a frozen NATS that goes on keeps nothing of appends whose outcome was called unknown", async () => {
    const [node, other] = [nodes.make(), direct.make()];
    const channel = someAnalysis();
    await say(node, channel, "before");
    const heard = new CollectingSubscriber();
    await other.subscribe(channel, heard);
    nats.freeze();
    const first = failed(say(node, channel, "late"));
    // The first is under way by now, so that these wait behind it.
    await Promise.resolve();
    const [sent, behind, viewers] = await Promise.all([
      first,
      failed(say(node, channel, "behind")),
      failed(node.declareViewers(channel, new Set(["mallory"]))),
    ]);
    expect(sent.error).toBeInstanceOf(OutcomeUnknown);
    expect(behind.error).not.toBe("stored");
    expect(viewers.error).not.toBe("stored");
    for (const { after } of [sent, behind, viewers]) expect(after).toBeLessThan(5_000);
    nats.thaw();
    await untilUp(node);
    await untilUp(other);
    expect(await notes(other, channel)).toEqual(["before"]);
    expect((await other.snapshot(channel)).viewers).toBeUndefined();
    expect(await say(other, channel, "after")).toMatchObject({ type: "stored", firstOffset: 2 });
    await heard.until(() => heard.events.length > 0);
    expect(heard.events.map(({ text }) => JSON.parse(text).note)).toEqual(["after"]);
    expect(await notes(node, channel)).toEqual(["before", "after"]);
  });

  test("PS-30 an append that a network held back is not stored once its caller has an answer", async () => {
    const [node, other] = [nodes.make(), direct.make()];
    const channel = someAnalysis();
    await say(node, channel, "before");
    proxy.pause("up");
    const { error, after } = await failed(say(node, channel, "late"));
    expect(error).toBeInstanceOf(OutcomeUnknown);
    expect(after).toBeWithin(1_900, 5_000);
    proxy.resume("up");
    await untilUp(node);
    expect(await notes(other, channel)).toEqual(["before"]);
    expect(await say(node, channel, "after")).toMatchObject({ firstOffset: 2 });
  });

  test("PS-30 an append whose connection broke is told only when it cannot be stored any more", async () => {
    const [node, other] = [nodes.make(), direct.make()];
    const channel = someAnalysis();
    await say(node, channel, "before");
    proxy.pause("down");
    const started = failed(say(node, channel, "unanswered"));
    await eventually("it is stored", async () => (await notes(other, channel)).length === 2);
    for (const connection of proxy.connections) connection.cut();
    proxy.resume();
    const { error, after } = await started;
    expect(error).toBeInstanceOf(OutcomeUnknown);
    expect(after).toBeWithin(1_900, 5_000);
    await untilUp(node);
    expect(await say(node, channel, "after")).toMatchObject({ type: "stored", firstOffset: 3 });
  });

  test("PS-9 PS-31 a keyed append whose answer was lost is a duplicate of itself", async () => {
    const [node, other] = [nodes.make(), direct.make()];
    const channel = someAnalysis();
    const key: DeduplicationKey = {
      ...{ by: "key", name: "k", scope: "channel", windowMs: 300_000, rememberMs: 300_000 },
    };
    await say(node, channel, "before");
    proxy.pause("down");
    expect((await failed(say(node, channel, "once", key))).error).toBeInstanceOf(OutcomeUnknown);
    proxy.resume();
    await untilUp(node);
    expect(await say(node, channel, "once", key)).toMatchObject({ type: "duplicate", firstOffset: 2 });
    expect(await say(other, channel, "once", key)).toMatchObject({ type: "duplicate", firstOffset: 2 });
    expect(await notes(other, channel)).toEqual(["before", "once"]);
  });

  test("PS-9 PS-30 a key whose message came too late is stored when it is repeated", async () => {
    const [node, other] = [nodes.make(), direct.make()];
    const channel = someAnalysis();
    const key: DeduplicationKey = {
      ...{ by: "key", name: "k", scope: "channel", windowMs: 300_000, rememberMs: 300_000 },
    };
    await say(node, channel, "before");
    proxy.pause("up");
    expect((await failed(say(node, channel, "repeated", key))).error).toBeInstanceOf(OutcomeUnknown);
    proxy.resume();
    await untilUp(node);
    expect(await say(other, channel, "repeated", key)).toMatchObject({ type: "stored", firstOffset: 2 });
    expect(await say(node, channel, "repeated", key)).toMatchObject({ type: "duplicate", firstOffset: 2 });
    expect(await notes(other, channel)).toEqual(["before", "repeated"]);
  });

  test("an append is refused at once when NATS is known to be away", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "before");
    await nats.kill9();
    // Each of its connections learns of it by itself.
    await eventually("the node knows", async () => {
      const { error, after } = await failed(say(node, channel, "refused"));
      return error instanceof BrokerUnavailable && after < 1_000;
    });
    await nats.restart();
    await untilUp(node);
    expect(await say(node, channel, "after")).toMatchObject({ firstOffset: 2 });
  });

  test("a channel keeps offsets without holes while two nodes append to it and connections are cut", async () => {
    const publishers = [nodes.make(), nodes.make()];
    const reader = direct.make();
    const channel = someAnalysis();
    await Promise.all(publishers.map(untilUp));
    const acknowledged: string[] = [];
    const unknown: string[] = [];
    const publish = async (node: PubSubPort, name: string) => {
      for (let n = 0; n < 60; n++) {
        const note = `${name}${n}`;
        const outcome = await failed(say(node, channel, note));
        if (outcome.error === "stored") acknowledged.push(note);
        else if (outcome.error instanceof OutcomeUnknown) unknown.push(note);
        else await untilUp(node);
        if (name === "a" && n % 20 === 10) for (const connection of proxy.connections) connection.cut();
      }
    };
    await Promise.all([publish(publishers[0]!, "a"), publish(publishers[1]!, "b")]);
    const { events } = await reader.history(channel, undefined, 1_000);
    const kept = events.map(({ text }) => String(JSON.parse(text).note));
    expect(events.map(({ position }) => position.offset)).toEqual(events.map((_, index) => index + 1));
    expect(new Set(kept).size).toBe(kept.length);
    for (const note of acknowledged) expect(kept).toContain(note);
    for (const note of kept) expect([...acknowledged, ...unknown]).toContain(note);
  });

  test("PS-18 PS-21 the stream lets go of what no history has, and the snapshot stays right", async () => {
    const node = direct.make({ size: 5, keysKnownMs: 0 });
    const channel = someAnalysis();
    await node.append({
      channel,
      events: [status({ stage: "uploading", attemptId: "a", note: "first" }), result({ attemptId: "a" })],
    });
    await say(node, channel, "last status");
    for (let n = 0; n < 200; n++) await node.append({ channel, events: [result({ note: `${n}` })] });
    const before = await node.snapshot(channel);
    const client = await nats.client();
    const count = async () => {
      const info = await client.request(
        "$JS.API.STREAM.INFO.TELLTALE_EVENTS",
        JSON.stringify({ subjects_filter: `telltale.log.events.${channel}` }),
      );
      const { state } = info.json<{ state: { subjects?: Record<string, number> } }>();
      return Object.values(state.subjects ?? {})[0] ?? 0;
    };
    await eventually("most messages are gone", async () => (await count()) < 60);
    const after = await direct.make({ size: 5 }).snapshot(channel);
    expect({ ...after, brokerNow: 0 }).toEqual({ ...before, brokerNow: 0 });
    expect(after.lastStatus?.text).toContain("last status");
    expect((await node.history(channel, undefined, 100)).events.at(-1)?.position.offset).toBe(203);
  });
});
