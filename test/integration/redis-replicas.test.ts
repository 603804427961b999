import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { OutcomeUnknown } from "../../src/application/errors.ts";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { occurrenceKey } from "../../src/testing/occurrence-key.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { RedisNodes } from "../support/redis-nodes.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

const PROMOTIONS = 3;

/** A primary with a replica acknowledges an event only once the replica has it. */
describe.skipIf(!needs("redis-server"))("a Redis with a replica", () => {
  let primary: RunningRedis;
  let replica: RunningRedis;
  let nodes: RedisNodes;
  let connections: Redis[];

  beforeEach(async () => {
    primary = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
    replica = await startRedis();
    nodes = new RedisNodes(primary);
    connections = [];
  });
  afterEach(async () => {
    await nodes.close();
    for (const connection of connections) connection.disconnect();
    await Promise.all([primary.stop(), replica.stop()]);
  });

  function at(redis: RunningRedis): Redis {
    const connection = patientClient(redis);
    connections.push(connection);
    return connection;
  }

  async function attach(): Promise<void> {
    await at(replica).replicaof(primary.host, primary.port);
    const admin = at(primary);
    await eventually("the replica is there", async () =>
      (await admin.info("replication")).includes("state=online"),
    );
  }

  const say = (node: PubSubPort, channel: AnalysisChannel, note: string) =>
    node.append({ channel, events: [status({ note })] });
  const waits = async () =>
    Number(/cmdstat_wait:calls=(\d+)/.exec(await at(primary).info("commandstats"))?.[1] ?? 0);

  test("PS-32: a node waits for one replica from when it sees one, and never for fewer again", async () => {
    const node = nodes.make();
    const channel = someAnalysis();
    expect(await say(node, channel, "alone")).toMatchObject({ type: "stored" });
    expect(await waits()).toBe(0);
    await attach();
    await eventually("it is waited for", async () => {
      await say(node, channel, "more");
      return (await waits()) > 0;
    });
    await at(replica).replicaof("NO", "ONE");
    const admin = at(primary);
    await eventually("it has gone", async () =>
      (await admin.info("replication")).includes("connected_slaves:0"),
    );
    await expect(say(node, channel, "nobody")).rejects.toBeInstanceOf(OutcomeUnknown);
  }, 30_000);

  test("PS-32: a node waits for no replica if none is required, and for two if two are", async () => {
    await attach();
    const none = nodes.make({ waitReplicas: 0 });
    const channel = someAnalysis();
    expect(await say(none, channel, "a")).toMatchObject({ type: "stored" });
    expect(await waits()).toBe(0);
    const two = nodes.make({ waitReplicas: 2 });
    const started = performance.now();
    await expect(say(two, channel, "b")).rejects.toBeInstanceOf(OutcomeUnknown);
    // It takes a second, behind the WAIT of the node's own trial if that is under way.
    expect(performance.now() - started).toBeWithin(900, 5_000);
    // An append that nobody is answered for does not wait.
    const message = { channel, events: [status()], deduplicate: occurrenceKey("n") };
    expect(await two.append(message)).toMatchObject({ type: "stored", firstOffset: 3 });
  }, 30_000);

  test("PS-32: one WAIT serves all appends that were answered before it, and no read waits for it", async () => {
    await attach();
    const node = nodes.make({ waitReplicas: 1 });
    const channels = Array.from({ length: 200 }, someAnalysis);
    await say(node, channels[0]!, "connected");
    const before = await waits();
    await Promise.all(channels.map((channel) => say(node, channel, "a")));
    expect((await waits()) - before).toBeWithin(1, 21);
    const { pid } = replica;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    process.kill(pid, "SIGSTOP");
    try {
      let outcome: unknown = "held";
      const held = say(node, channels[0]!, "held").catch((error: unknown) => {
        outcome = error;
      });
      await node.snapshot(channels[1]!);
      await node.history(channels[1]!, undefined, 10);
      expect(outcome).toBe("held");
      await held;
      expect(outcome).toBeInstanceOf(OutcomeUnknown);
      // One after the other, so that many are sent while a WAIT holds up the connection.
      const told = async (channel: AnalysisChannel) => {
        const outcomes: unknown[] = [];
        for (let n = 0; n < 3; n++) {
          const asked = performance.now();
          const error = await say(node, channel, "b").then(
            () => undefined,
            (reason: unknown) => reason,
          );
          outcomes.push([error instanceof OutcomeUnknown, performance.now() - asked < 4_500]);
        }
        return outcomes;
      };
      for (const outcomes of await Promise.all(channels.slice(0, 40).map(told))) {
        expect(outcomes).toEqual(Array.from({ length: 3 }, () => [true, true]));
      }
    } finally {
      process.kill(pid, "SIGCONT");
    }
  }, 30_000);

  test("PUB-10: a gateway answers 202 only with the replica, 503 outcome_unknown if it is frozen, and a duplicate when it is back", async () => {
    await attach();
    const gateway = await startGateway({ REDIS_URL: primary.url });
    const id = crypto.randomUUID();
    const post = (gateway: GatewayProcess, key: string) =>
      publish(gateway, id, statusUpdate({ message: key }), { "Idempotency-Key": key });
    const { pid } = replica;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    try {
      expect((await post(gateway, "first")).status).toBe(202);
      process.kill(pid, "SIGSTOP");
      for (let n = 0; n < 2; n++) {
        const started = performance.now();
        const answer = await post(gateway, "second");
        expect([answer.status, await answer.json()]).toMatchObject([503, { code: "outcome_unknown" }]);
        expect(performance.now() - started).toBeLessThan(5_000);
      }
      process.kill(pid, "SIGCONT");
      await eventually("it is acknowledged", async () => {
        const answer = await post(gateway, "second");
        if (answer.status !== 202) return false;
        expect(await answer.json()).toMatchObject({ duplicate: true });
        return true;
      });
      expect(await at(replica).xlen(`telltale:{analysis:${id}}:history`)).toBe(2);
    } finally {
      process.kill(pid, "SIGCONT");
      await gateway.stop();
    }
  }, 40_000);

  test("PS-32: the promotion of the replica loses no acknowledged event", async () => {
    for (let round = 0; round < PROMOTIONS; round++) {
      await attach();
      const node = nodes.make({ waitReplicas: 1 });
      const channels = Array.from({ length: 20 }, someAnalysis);
      const acknowledged = new Map(channels.map((channel) => [channel, [] as string[]]));
      let going = true;
      const publisher = async (channel: AnalysisChannel) => {
        for (let n = 0; going; n++) {
          const stored = await say(node, channel, `${n}`).then(
            () => true,
            () => false,
          );
          if (!stored) return;
          acknowledged.get(channel)?.push(`${n}`);
        }
      };
      const publishing = Promise.all(channels.map(publisher));
      const count = () => [...acknowledged.values()].reduce((sum, notes) => sum + notes.length, 0);
      await eventually("a burst is under way", async () => count() > 2_000);
      await primary.kill9();
      const promoted = at(replica);
      await promoted.replicaof("NO", "ONE");
      going = false;
      await publishing;
      for (const [channel, notes] of acknowledged) {
        const kept = await promoted.xrange(`telltale:{${channel}}:history`, "-", "+");
        const found = kept.map(([, [, text = ""]]) => Number(JSON.parse(text).note));
        const newest = found.at(-1) ?? -1;
        // One that was under way may be there as well.
        expect(newest - (notes.length - 1)).toBeWithin(0, 2);
        expect(found).toEqual(Array.from({ length: found.length }, (_, n) => newest - found.length + 1 + n));
      }
      await primary.restart();
      await eventually("it is up again", async () => node.health().status === "up");
    }
  }, 60_000);
});
