import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import type { RedisClusterNode } from "../support/redis-cluster-node.ts";
import { moveSlots } from "../support/slot-moves.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const ACL_FILE = "deploy/redis/users-cluster.acl";

async function untilReady({ url }: GatewayProcess): Promise<void> {
  await eventually("the gateway is ready", async () => (await fetch(`${url}/ready`)).ok);
}

/** Two gateways on a Redis Cluster, whose watchers see every acknowledged event once, whatever the Cluster does meanwhile. */
describe.skipIf(!needs("redis-server"))("two gateways on a Redis Cluster", () => {
  const redis = useRedisCluster({ replicas: 1 });

  async function ready(): Promise<readonly [GatewayProcess, GatewayProcess]> {
    const gateways = await Promise.all([redis.startGateway(), redis.startGateway()]);
    await Promise.all(gateways.map(untilReady));
    return gateways as [GatewayProcess, GatewayProcess];
  }

  async function watch(gateway: GatewayProcess, id: string): Promise<WatchingSocket> {
    const token = await tokenFor({ user: crypto.randomUUID() });
    const socket = new WatchingSocket(watchUrl(gateway.url, id, { token }));
    await socket.established();
    redis.afterTest(() => socket.leave());
    return socket;
  }

  /** Publishes under one key until the gateway has taken it, as a careful worker does. */
  async function publishUntilTaken(gateway: GatewayProcess, id: string, body: object): Promise<void> {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    while ((await publish(gateway, id, body, headers)).status !== 202) await Bun.sleep(50);
  }

  test("watchers see each event once and in order while the slot of the analysis moves and its primary fails over", async () => {
    const gateways = await ready();
    const id = crypto.randomUUID();
    const sockets = await Promise.all([...gateways, ...gateways].map((gateway) => watch(gateway, id)));
    const key = `telltale:{analysis:${id}}`;
    const slot = await redis.cluster.slotOf(key);
    let step = 0;
    const some = async (count: number) => {
      for (const until = step + count; step < until; ) {
        step++;
        await publishUntilTaken(
          gateways[step % 2] as GatewayProcess,
          id,
          statusUpdate({ message: `step ${step}` }),
        );
      }
    };
    await some(10);
    const home = await redis.cluster.primaryOf(key);
    const away = redis.cluster.nodes.slice(0, 3).find((node) => node !== home) as RedisClusterNode;
    await Promise.all([some(30), moveSlots(redis.cluster, [slot, slot], away)]);
    await Promise.all([some(30), moveSlots(redis.cluster, [slot, slot], home)]);
    await Promise.all([some(30), redis.cluster.failover(home)]);
    await redis.cluster.untilWhole();
    await some(10);
    const promoted = await redis.cluster.primaryOf(key);
    await promoted.kill9();
    await Promise.all([some(30), redis.cluster.untilAnotherThan(promoted)]);
    await publishUntilTaken(gateways[0], id, resultUpdate());
    for (const socket of sockets) {
      await socket.untilType("result_update");
      expect(socket.events.slice(0, -1).map((event) => event.message)).toEqual(
        Array.from({ length: step }, (_, index) => `step ${index + 1}`),
      );
      expect(new Set(socket.events.map((event) => event.event_id)).size).toBe(step + 1);
    }
    await promoted.restart();
    await redis.cluster.untilWhole();
  }, 90_000);

  test("a gateway with the user of deploy/redis/users-cluster.acl serves workers and watchers, and no server refuses it anything", async () => {
    const [, rules = ""] = /^user gateway on \S+ (.*)$/m.exec(readFileSync(ACL_FILE, "utf8")) ?? [];
    const { nodes } = redis.cluster;
    for (const { client } of nodes)
      await client.call("ACL", "SETUSER", "gateway", "reset", "on", ">secret", ...rules.split(" "));
    const gateway = await redis.startGateway({
      REDIS_URL: redis.cluster.url.replace("://", "://gateway:secret@"),
    });
    await untilReady(gateway);
    const id = crypto.randomUUID();
    const socket = await watch(gateway, id);
    await publishUntilTaken(gateway, id, statusUpdate({ message: "over HTTP" }));
    await redis.client.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "bare" })));
    const entry = JSON.stringify({ analysis_id: id, ...statusUpdate({ message: "by the inbox" }) });
    await redis.client.xadd("telltale:inbox", "*", "event", entry);
    await redis.client.publish(`analysis:${id}`, "no event");
    for (const expected of ["over HTTP", "bare", "by the inbox"])
      await socket.until(({ message }) => message === expected);
    await eventually(
      "the dead letter is kept",
      async () => (await redis.client.xlen("telltale:deadletters")) === 1,
    );
    const logs = await Promise.all(nodes.map(({ client }) => client.call("ACL", "LOG")));
    expect((logs as unknown[][][]).flat().filter((entry) => entry.includes("gateway"))).toEqual([]);
  });

  test("a bare message that a worker publishes at any node becomes one event", async () => {
    const [one, two] = await ready();
    const id = crypto.randomUUID();
    const sockets = [await watch(one, id), await watch(two, id)];
    const running = redis.cluster.nodes;
    for (let step = 1; step <= 60; step++) {
      const event = statusUpdate({ analysis_id: id, message: `step ${step}` });
      const { client } = running[step % running.length] as RedisClusterNode;
      await client.publish(`analysis:${id}`, JSON.stringify(event));
    }
    const expected = Array.from({ length: 60 }, (_, index) => `step ${index + 1}`).sort();
    for (const socket of sockets) {
      while (socket.events.length < 60) await Bun.sleep(20);
      expect(socket.events.map((event) => event.message).sort()).toEqual(expected);
    }
  });
});
