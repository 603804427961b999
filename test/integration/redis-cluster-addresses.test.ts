import { afterAll, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { TestAuthority } from "../support/certificates.ts";
import { type GatewayProcess, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import type { RedisClusterNode } from "../support/redis-cluster-node.ts";
import { moveSlots } from "../support/slot-moves.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** Another address of loopback. The servers hear each other there, and clients reach them through proxies alone. */
const OUTSIDE = "127.0.0.2";

describe.skipIf(!needs("redis-server") || !needs("openssl"))("the addresses of a Redis Cluster", () => {
  const authority = new TestAuthority();
  afterAll(() => authority.remove());
  const redis = useRedisCluster({
    // Not for 127.0.0.1: the gateway has to take the addresses that the servers announce.
    tls: { ...authority.sign("server", `DNS:localhost,IP:${OUTSIDE}`), ca: authority.ca },
    args: [
      ...["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"],
      ...["--bind", "127.0.0.1", OUTSIDE],
    ],
  });

  test("a gateway serves every slot over TLS, by the names that the servers announce", async () => {
    const { nodes } = redis.cluster;
    const gateway = await redis.startGateway({
      REDIS_URL: `rediss+cluster://localhost:${nodes[0]?.server.tlsPort}`,
      REDIS_CA_FILE: authority.ca,
    });
    await servesEverySlot(gateway);
    for (const node of nodes)
      expect(await reachedAt(node)).toEqual(new Set([`127.0.0.1:${node.server.tlsPort}`]));
  }, 60_000);

  test("a gateway serves every slot behind address translation, at the addresses that the servers announce", async () => {
    const { nodes } = redis.cluster;
    const proxies = await Promise.all(
      nodes.map(({ host, server }) => TcpProxy.start({ host, port: server.tlsPort ?? 0 }, OUTSIDE)),
    );
    for (const proxy of proxies) redis.afterTest(() => proxy.stop());
    for (const [at, { client, port }] of nodes.entries()) {
      await client.config("SET", "cluster-announce-port", `${port}`);
      await client.config("SET", "cluster-announce-tls-port", `${proxies[at]?.port}`);
      // The servers tell each other of new ports only together with a new address.
      await client.config("SET", "cluster-announce-ip", OUTSIDE);
      await client.config("SET", "cluster-preferred-endpoint-type", "ip");
    }
    const plain = nodes.map(({ port }) => `${OUTSIDE}:${port}`).sort();
    await eventually("all servers announce the address outside", async () => {
      const announced = await Promise.all(nodes.map(announcedBy));
      return announced.every((addresses) => Bun.deepEquals(addresses, plain));
    });
    const gateway = await redis.startGateway({
      REDIS_URL: `rediss+cluster://${OUTSIDE}:${proxies[0]?.port}`,
      REDIS_CA_FILE: authority.ca,
    });
    await servesEverySlot(gateway);
    for (const proxy of proxies) expect(proxy.connections).not.toBeEmpty();
    // The proxies come to the servers from inside.
    for (const node of nodes)
      expect(await reachedAt(node)).toEqual(new Set([`127.0.0.1:${node.server.tlsPort}`]));
  }, 60_000);

  /** An event by each way of a worker reaches a watcher from each primary, also just after a slot has moved. */
  async function servesEverySlot(gateway: GatewayProcess): Promise<void> {
    await eventually("the gateway is ready", async () => (await fetch(`${gateway.url}/ready`)).ok);
    for (const owner of redis.cluster.nodes) {
      const [id, slot] = await analysisAt(owner);
      const other = redis.cluster.nodes.find((node) => node !== owner) as RedisClusterNode;
      const socket = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor() }));
      redis.afterTest(() => socket.leave());
      await socket.established();
      await moveSlots(redis.cluster, slot, other);
      const headers = { "Idempotency-Key": crypto.randomUUID() };
      const event = statusUpdate({ message: "over HTTP" });
      // As a worker does: the servers may need a moment to agree.
      await eventually(
        "it is taken",
        async () => (await publish(gateway, id, event, headers)).status === 202,
      );
      await other.client.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "bare" })));
      const entry = JSON.stringify({ analysis_id: id, ...statusUpdate({ message: "by the inbox" }) });
      await redis.client.xadd("telltale:inbox", "*", "event", entry);
      for (const expected of ["over HTTP", "bare", "by the inbox"])
        await socket.until(({ message }) => message === expected);
    }
  }

  async function analysisAt(owner: RedisClusterNode): Promise<[id: string, slot: number]> {
    for (;;) {
      const id = crypto.randomUUID();
      const slot = await redis.cluster.slotOf(`telltale:{analysis:${id}}`);
      if ((await redis.cluster.primaryOf(slot)) === owner) return [id, slot];
    }
  }
});

/** The own addresses at which this server has connections of the gateway. */
async function reachedAt({ client }: RedisClusterNode): Promise<Set<string>> {
  const clients = String(await client.call("CLIENT", "LIST")).split("\n");
  const own = clients.filter((line) => line.includes(" name=telltale-"));
  return new Set(own.map((line) => /laddr=(\S+)/.exec(line)?.[1] ?? ""));
}

/** The addresses that this server tells to clients without TLS. */
async function announcedBy(node: RedisClusterNode): Promise<string[]> {
  const rows = (await node.cluster("SLOTS")) as [number, number, [host: string, port: number]][];
  return [...new Set(rows.map(([, , [host, port]]) => `${host}:${port}`))].sort();
}
