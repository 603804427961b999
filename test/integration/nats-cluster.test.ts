import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { NatsPubSub } from "../../src/adapters/nats/nats-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import type { DeduplicationKey } from "../../src/application/ports/deduplication-key.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import { clusterOrdersWriters } from "../support/orders-writers.ts";
import { StagedNatsCluster } from "../support/staged-nats-cluster.ts";

const CHANNEL = "analysis:6f1f1f5e-0a4b-4a53-9d43-0f8d9e2f7a11" as AnalysisChannel;

describe.skipIf(!needs("nats-server"))("the event log on a cluster of NATS", () => {
  let cluster: StagedNatsCluster;
  const nodes: NatsPubSub[] = [];
  beforeAll(async () => {
    cluster = await StagedNatsCluster.start();
  }, 60_000);
  afterAll(async () => {
    for (const node of nodes) await node.close();
    await cluster.stop();
  });

  function openNode(): NatsPubSub {
    const servers = cluster.servers.map(({ address }) => address);
    const node = new NatsPubSub({
      target: { servers },
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
      history: { size: 100, ttlMs: 3_600_000 },
    });
    nodes.push(node);
    return node;
  }

  /** Appends as soon as the cluster takes it. */
  async function append(node: NatsPubSub) {
    const outcomes: Awaited<ReturnType<NatsPubSub["append"]>>[] = [];
    await eventually("an event is stored", async () => {
      try {
        outcomes.push(await node.append({ channel: CHANNEL, events: [status()] }));
        return true;
      } catch {
        // There is no leader yet.
        return false;
      }
    });
    const [outcome] = outcomes;
    if (outcome?.type !== "stored") throw new Error("nothing was stored");
    return outcome;
  }

  async function appendTwenty(node: NatsPubSub): Promise<number[]> {
    const offsets: number[] = [];
    for (let time = 0; time < 20; time++) {
      const outcome = await node.append({ channel: CHANNEL, events: [status()] });
      if (outcome.type !== "stored") throw new Error("it was not stored");
      offsets.push(outcome.firstOffset);
    }
    return offsets;
  }

  const lineageOf = async (node: NatsPubSub) => (await node.positions([CHANNEL]))[0]?.lineage;

  test("PS-27 every node gives the same lineage, and events of all have one epoch", async () => {
    const [one, other] = [openNode(), openNode()];
    await append(one);
    // The first one goes on in the epoch that the other one began when it connected.
    const events = [await append(other), await append(one), await append(other), await append(one)];
    expect(new Set(events.map(({ epoch }) => epoch)).size).toBe(1);
    expect(events.map(({ firstOffset }) => firstOffset)).toEqual([2, 3, 4, 5]);
    expect(await lineageOf(one)).toBe(await lineageOf(other));
  }, 60_000);

  test("PS-1 events that two nodes append at once are all stored, in one order", async () => {
    const nodes = [openNode(), openNode()];
    for (const node of nodes) await append(node);
    const at = await Promise.all(nodes.map(appendTwenty));
    // A cluster of which health() warns keeps no order between nodes.
    if (!clusterOrdersWriters()) return;
    const offsets = at.flat().sort((a, b) => a - b);
    expect(offsets).toEqual(offsets.map((_, index) => (offsets[0] ?? 0) + index));
  }, 60_000);

  test("PS-9 a request that two nodes append at once is stored once", async () => {
    const nodes = [openNode(), openNode()];
    for (const node of nodes) await append(node);
    for (let time = 0; time < 20; time++) {
      const request = { channel: CHANNEL, events: [status()], deduplicate: keyOf(`request ${time}`) };
      const outcomes = await Promise.all([...nodes, ...nodes].map((node) => node.append(request)));
      // A cluster of which health() warns keeps no order between nodes.
      if (!clusterOrdersWriters()) continue;
      const types = outcomes.map(({ type }) => type).sort();
      expect(types).toEqual(["duplicate", "duplicate", "duplicate", "stored"]);
    }
  }, 60_000);

  test("health() warns only of a cluster that takes both of two messages that follow the same one", async () => {
    const healthOfOne = async () => {
      const node = openNode();
      await append(node);
      return node.health();
    };
    if (clusterOrdersWriters()) {
      expect(await healthOfOne()).toMatchObject({ status: "up", warnings: [] });
      return;
    }
    // By chance an older cluster takes only one of the two that a node tries.
    await eventually("a node finds that both were taken", async () => {
      const { status, warnings } = await healthOfOne();
      expect(status).toBe("up");
      return warnings.length === 1;
    });
  }, 60_000);

  test("PS-27 another lineage and another epoch follow when all servers were killed", async () => {
    const node = openNode();
    const before = await append(node);
    const lineage = await lineageOf(node);
    await cluster.kill9();
    await cluster.restart();
    const after = await append(node);
    expect(after.epoch).not.toBe(before.epoch);
    // Servers before 2.9.21 may lose the whole channel.
    if (clusterOrdersWriters()) expect(after.firstOffset).toBe(before.firstOffset + 1);
    expect(await lineageOf(node)).not.toBe(lineage);
  }, 60_000);
});

function keyOf(name: string): DeduplicationKey {
  return { by: "key", name, scope: "channel", windowMs: 60_000, rememberMs: 300_000 };
}
