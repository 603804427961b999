import { describe, expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { type GatewayProcess, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { RedisNodes } from "../support/redis-nodes.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { useRedis } from "../support/use-redis.ts";
import { useRedisCluster } from "../support/use-redis-cluster.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const ready = async ({ url }: GatewayProcess) => {
  const answer = await fetch(`${url}/ready`);
  return { ok: answer.ok, reason: ((await answer.json()) as { reason?: string }).reason ?? "" };
};
const watch = async ({ url }: GatewayProcess, id: string) => {
  const socket = new WatchingSocket(watchUrl(url, id, { token: await tokenFor() }));
  await socket.established();
  return socket;
};
const messagesOf = (socket: WatchingSocket) => socket.events.map(({ message }) => message).slice(0, -1);
const texts = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}`);

describe.skipIf(!needs("redis-server"))("stalled subscriptions", () => {
  const redis = useRedis();

  const gatewayBehind = ({ host, port }: { readonly host: string; readonly port: number }) =>
    redis.startGateway({ REDIS_HOST: host, REDIS_PORT: `${port}` });

  test("OPS-11: a gateway notices within 10 s that a network forwards nothing to a connection that listens, and loses no event", async () => {
    await Promise.all(["subscriptions", "workers"].map((purpose) => stalls(purpose)));
  }, 40_000);

  /** Two gateways: a connection of one gets nothing for a while, and the other hears everything. */
  async function stalls(purpose: string): Promise<void> {
    const proxy = await TcpProxy.start(redis);
    redis.afterTest(() => proxy.stop());
    const [gateway, other] = [await gatewayBehind(proxy), await gatewayBehind(redis)];
    await eventually("it is ready", async () => (await ready(gateway)).ok);
    const id = crypto.randomUUID();
    const socket = await watch(gateway, id);
    const bare = (n: number) =>
      redis.client.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: `${n}` })));
    // The other one has been listening for long enough to ingest messages at once.
    await bare(1);
    await socket.until(({ message }) => message === "1");
    const connections = proxy.connections.filter(({ opening }) => opening.includes(`telltale-${purpose}`));
    expect(connections).toHaveLength(1);
    const stalledSince = performance.now();
    connections[0]?.pause("down");
    for (let n = 2; n <= 20; n++) await bare(n);
    await eventually("it is not ready", async () => !(await ready(gateway)).ok);
    expect(performance.now() - stalledSince).toBeLessThan(15_000);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    await eventually("it is ready again", async () => (await ready(gateway)).ok);
    for (let n = 21; n <= 30; n++) await bare(n);
    await eventually(
      "the last is kept",
      async () => (await redis.client.xlen(`telltale:{analysis:${id}}:history`)) === 30,
    );
    expect((await publish(other, id, resultUpdate())).status).toBe(202);
    await socket.untilType("result_update");
    expect(messagesOf(socket)).toEqual(texts(30));
    await socket.leave();
  }

  test("OPS-11: a node notices a connection that answers every command and gets no message", async () => {
    const relay = await StallingRelay.start(redis);
    redis.afterTest(() => relay.stop());
    const telemetry = new CollectingTelemetry();
    const behindRelay = new RedisNodes({ host: redis.host, port: relay.port });
    redis.afterTest(() => behindRelay.close());
    const [node, other] = [behindRelay.make({ telemetry }), redis.nodes.make()];
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await node.subscribe(channel, heard);
    await other.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length === 1);
    const stalledSince = performance.now();
    relay.swallows = true;
    await other.append({ channel, events: [status()] });
    await eventually("it says so", async () => node.health().status === "down");
    expect(performance.now() - stalledSince).toBeLessThan(15_000);
    expect(node.health()).toMatchObject({ reason: expect.stringContaining("deaf") });
    await eventually("it is made anew", async () => telemetry.counts.get("deaf_connections") === 1);
    relay.swallows = false;
    await heard.until(() => heard.restored >= 1);
    await eventually("it is up", async () => node.health().status === "up");
    await other.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length === 2);
    expect(heard.offsets).toEqual([1, 3]);
  }, 40_000);
});

describe.skipIf(!needs("redis-server"))("stalled subscriptions on a Redis Cluster", () => {
  const redis = useRedisCluster();

  test("OPS-11: a gateway notices that a network forwards nothing from one primary to a connection that listens, and loses no event", async () => {
    const { nodes } = redis.cluster;
    const proxies = await Promise.all(nodes.map((node) => TcpProxy.start(node)));
    for (const proxy of proxies) redis.afterTest(() => proxy.stop());
    for (const [at, node] of nodes.entries()) await node.announce(proxies[at]?.port ?? 0);
    await eventually("all servers announce the proxies", async () => {
      const maps = await Promise.all(nodes.map((node) => node.cluster("SLOTS")));
      return maps.every((map) => proxies.every(({ port }) => JSON.stringify(map).includes(`${port}`)));
    });
    const [{ port }] = proxies as [TcpProxy];
    const env = { REDIS_URL: `redis+cluster://127.0.0.1:${port}` };
    const gateway = await redis.startGateway(env);
    await eventually("it is ready", async () => (await ready(gateway)).ok);
    const its = proxies.map(({ connections }) => connections);
    const other = await redis.startGateway(env);
    await eventually("the other one is ready", async () => (await ready(other)).ok);
    const id = crypto.randomUUID();
    const socket = await watch(gateway, id);
    redis.afterTest(() => socket.leave());
    const primary = await redis.cluster.primaryOf(`telltale:{analysis:${id}}`);
    const listening = (at: number, purpose: string) =>
      (its[at] ?? []).filter(({ opening }) => opening.includes(`telltale-${purpose}`));
    const [events, ...more] = listening(nodes.indexOf(primary), "subscriptions");
    const [messages] = nodes.flatMap((_, at) => listening(at, "workers"));
    expect([events, messages, ...more]).toEqual([expect.anything(), expect.anything()]);
    events?.pause("down");
    messages?.pause("down");
    let sent = 0;
    const some = async (count: number) => {
      for (const until = sent + count; sent < until; ) {
        const event = JSON.stringify(statusUpdate({ message: `${++sent}` }));
        await primary.client.publish(`analysis:${id}`, event);
      }
    };
    await some(10);
    await eventually("it is not ready", async () => !(await ready(gateway)).ok);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    await eventually("it is ready again", async () => (await ready(gateway)).ok);
    await some(10);
    await eventually(
      "the last is kept",
      async () => (await primary.client.xlen(`telltale:{analysis:${id}}:history`)) === sent,
    );
    expect((await publish(other, id, resultUpdate())).status).toBe(202);
    await socket.untilType("result_update");
    expect(messagesOf(socket)).toEqual(texts(sent));
  }, 60_000);
});

/** Passes everything on. While it `swallows` it leaves out the messages of channels. */
class StallingRelay {
  swallows = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer((client) => {
      const server = connect(target);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        // If one side breaks, so does the other.
        socket.on("error", () => socket.destroy());
        socket.on("close", () => {
          client.destroy();
          server.destroy();
        });
      }
      client.on("data", (bytes) => server.write(bytes));
      server.on("data", (bytes) => {
        client.write(
          this.swallows ? Buffer.from(withoutMessages(bytes.toString("latin1")), "latin1") : bytes,
        );
      });
    });
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<StallingRelay> {
    const relay = new StallingRelay(target);
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function withoutMessages(replies: string): string {
  return replies.replace(/\*3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n[^\r]*\r\n/g, "");
}
