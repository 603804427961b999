import { afterEach, describe, expect, test } from "bun:test";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { NatsNodes } from "../support/nats-nodes.ts";
import { needs } from "../support/needs.ts";
import { type NatsInUse, useNats } from "../support/use-nats.ts";

const say = (node: PubSubPort, channel: AnalysisChannel, note: string) =>
  node.append({ channel, events: [status({ note })] });

async function untilUp(node: PubSubPort): Promise<void> {
  await eventually("the node is up", async () => {
    const health = node.health();
    return health.status === "up" && health.refuses === undefined;
  });
}

function nodesOn(nats: NatsInUse): NatsNodes {
  const nodes = new NatsNodes(nats);
  afterEach(() => nodes.close());
  return nodes;
}

describe.skipIf(!needs("nats-server"))("a NATS that ends and comes back", () => {
  const nats = useNats();
  const nodes = nodesOn(nats);

  test("PS-27 a restart begins an epoch at the next offset, and positions before it remain good", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "one");
    const [before] = await node.positions([channel]);
    await nats.kill9();
    await nats.restart();
    await untilUp(node);
    expect((await node.positions([channel]))[0]?.lineage).not.toBe(before?.lineage);
    const stored = await say(node, channel, "two");
    expect(stored).toMatchObject({ type: "stored", firstOffset: 2 });
    const page = await node.history(channel, before, 10);
    expect(page).toMatchObject({ resumed: true, position: { offset: 2 } });
    expect(page.kept.spans).toHaveLength(2);
    expect(page.position.epoch).not.toBe(before?.epoch);
  });

  test("PS-1 kill -9 in the middle of traffic loses no acknowledged event", async () => {
    const node = nodes.make();
    await untilUp(node);
    const channels = Array.from({ length: 20 }, () => someAnalysis());
    const acknowledged = new Map(channels.map((channel) => [channel, new Set<number>()]));
    let isOver = false;
    const publish = async (channel: AnalysisChannel) => {
      for (let n = 0; !isOver; n++) {
        const outcome = await say(node, channel, `${n}`).catch(() => undefined);
        if (outcome?.type === "stored") acknowledged.get(channel)?.add(outcome.firstOffset);
        else isOver = true;
      }
    };
    const publishing = Promise.all(channels.map(publish));
    await eventually("all publish", async () => [...acknowledged.values()].every(({ size }) => size > 5));
    await nats.kill9();
    await publishing;
    await nats.restart();
    await untilUp(node);
    for (const [channel, offsets] of acknowledged) {
      const { events } = await node.history(channel, undefined, 1_000);
      const kept = new Set(events.map(({ position }) => position.offset));
      expect([...offsets].filter((offset) => !kept.has(offset))).toEqual([]);
    }
  });

  test("PS-20 PS-22 a NATS that was put back to an earlier state gives lost offsets to a new epoch", async () => {
    const [node, other] = [nodes.make(), nodes.make()];
    const channel = someAnalysis();
    await say(node, channel, "kept");
    await nats.saveStore();
    await untilUp(node);
    await say(node, channel, "lost");
    const [lost] = await node.positions([channel]);
    await nats.restoreStore();
    await untilUp(node);
    await untilUp(other);
    expect(await say(other, channel, "instead")).toMatchObject({ type: "stored", firstOffset: 2 });
    const page = await node.history(channel, lost, 10);
    expect(page.resumed).toBe(false);
    expect(page.events.map(({ text }) => JSON.parse(text).note)).toEqual(["kept", "instead"]);
    expect(await say(node, channel, "after")).toMatchObject({ type: "stored", firstOffset: 3 });
  });

  test("PS-6 a subscriber hears of a lost connection, and then the next append", async () => {
    const [node, publisher] = [nodes.make(), nodes.make()];
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await node.subscribe(channel, heard);
    await nats.kill9();
    await eventually("the node knows", async () => node.health().status === "down");
    await nats.restart();
    await eventually("it is told", async () => heard.restored > 0);
    await untilUp(publisher);
    await say(publisher, channel, "next");
    await heard.until(() => heard.events.length === 1);
  });

  test("OPS-5 a frozen NATS shows as down within 10 s, and its end as well", async () => {
    const node = nodes.make();
    await untilUp(node);
    nats.freeze();
    const since = performance.now();
    await eventually("it is down", async () => node.health().status === "down");
    expect(performance.now() - since).toBeLessThan(10_000);
    expect(node.health()).toMatchObject({ cause: "silent" });
    nats.thaw();
    await untilUp(node);
  });

  test("a node that starts before NATS serves once NATS is there", async () => {
    await nats.kill9();
    const node = nodes.make();
    await eventually("it knows", async () => node.health().status === "down");
    await expect(say(node, someAnalysis(), "early")).rejects.toMatchObject({ code: "broker_unavailable" });
    await nats.restart();
    await untilUp(node);
    expect(await say(node, someAnalysis(), "now")).toMatchObject({ type: "stored" });
  });

  test("a stream that is deleted under the gateway is made anew", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    await say(node, channel, "lost");
    const client = await nats.client();
    await client.request("$JS.API.STREAM.DELETE.TELLTALE_EVENTS");
    await eventually("events can be stored", async () => {
      try {
        return (await say(node, channel, "first")).type === "stored";
      } catch {
        return false;
      }
    });
    expect((await node.snapshot(channel)).position.offset).toBe(1);
  });
});

describe.skipIf(!needs("nats-server"))("a NATS whose disk is full", () => {
  const nats = useNats({ limits: "max_file_store: 200000" });
  const nodes = nodesOn(nats);

  test("OPS-5 refused appends show within 10 s though nobody publishes, and what is kept can be read", async () => {
    const [node, other] = [nodes.make(), nodes.make()];
    const channel = someAnalysis();
    await say(node, channel, "before");
    const fill = async () => {
      for (let n = 0; n < 100; n++) await say(node, channel, "x".repeat(10_000));
    };
    await expect(fill()).rejects.toMatchObject({ code: "broker_unavailable" });
    await eventually("both refuse", async () =>
      [node, other].every((one) => {
        const health = one.health();
        return health.status === "up" && health.refuses !== undefined;
      }),
    );
    expect(other.health()).toMatchObject({ refuses: { cause: "disk" } });
    expect((await other.history(channel, undefined, 1)).events).toHaveLength(1);
  });
});

describe.skipIf(!needs("nats-server"))("a NATS whose user lacks a permission", () => {
  const nats = useNats({
    user: { user: "admin", pass: "all" },
    config: `authorization { users [
      { user: admin, password: all }
      { user: reader, password: some, permissions: { publish: { deny: "telltale.log.>" } } }
      { user: deaf, password: some, permissions: { subscribe: { deny: "telltale.live.>" } } }
    ] }`,
  });
  const nodes = nodesOn(nats);

  test("OPS-5 a user that may not append is refused by name", async () => {
    const node = nodes.make({ user: "reader", password: "some" });
    await eventually("it refuses", async () => {
      const health = node.health();
      return health.status === "up" && health.refuses?.cause === "permission";
    });
    const append = say(node, someAnalysis(), "refused");
    await expect(append).rejects.toMatchObject({
      code: "broker_unavailable",
      trouble: { cause: "permission", permission: "publish telltale.log.trial" },
    });
  });

  test("OPS-5 a user that may not listen is told so, and the node is down", async () => {
    const node = nodes.make({ user: "deaf", password: "some" });
    const subscribing = node.subscribe(someAnalysis(), new CollectingSubscriber());
    await expect(subscribing).rejects.toMatchObject({
      code: "broker_unavailable",
      trouble: { cause: "permission" },
    });
    await eventually("the node is down for it", async () => {
      const health = node.health();
      return health.status === "down" && health.cause === "permission";
    });
  });

  test("OPS-5 a wrong password is a matter of credentials", async () => {
    const node = nodes.make({ user: "admin", password: "wrong" });
    await expect(say(node, someAnalysis(), "refused")).rejects.toMatchObject({
      trouble: { cause: "credentials" },
    });
  });
});
