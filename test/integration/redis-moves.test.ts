import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** An address that leads to one server and then to another, while the first keeps its clients. */
describe.skipIf(!needs("redis-server"))("a Redis whose address moves", () => {
  let old: RunningRedis;
  let next: RunningRedis;
  let address: TcpProxy;
  let atOld: Redis;
  let atNext: Redis;
  let gateway: GatewayProcess;

  beforeEach(async () => {
    [old, next] = await Promise.all([
      startRedis({ args: ["--repl-diskless-sync-delay", "0"] }),
      startRedis({ args: ["--repl-diskless-sync-delay", "0"] }),
    ]);
    [atOld, atNext] = [patientClient(old), patientClient(next)];
    address = await TcpProxy.start(old);
    gateway = await startGateway({
      REDIS_HOST: address.host,
      REDIS_PORT: `${address.port}`,
      LOG_LEVEL: "info",
    });
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(200);
  });
  afterEach(async () => {
    await gateway.stop();
    for (const admin of [atOld, atNext]) admin.disconnect();
    await address.stop();
    await Promise.all([old.stop(), next.stop()]);
  });

  const isReady = async () => (await fetch(`${gateway.url}/ready`)).ok;
  const clientsOf = async (admin: Redis) =>
    ((await admin.client("LIST")) as string).split("\n").filter((line) => line.includes("name=telltale-"));
  const bare = (admin: Redis, id: string, message: string) =>
    admin.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message })));
  const lines = () =>
    gateway
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  async function replicate(): Promise<void> {
    await atNext.replicaof(old.host, old.port);
    await eventually("the replica is in step", async () =>
      (await atOld.info("replication")).includes("state=online"),
    );
  }

  test("RDY-3: every connection leaves within 10 s a primary that was demoted and keeps its sockets", async () => {
    await replicate();
    const id = crypto.randomUUID();
    const socket = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor() }));
    await socket.established();
    expect((await publish(gateway, id, statusUpdate({ message: "1" }))).status).toBe(202);
    await bare(atOld, id, "2");
    await socket.until(({ message }) => message === "2");
    expect((await clientsOf(atOld)).length).toBe(7);

    await atNext.replicaof("NO", "ONE");
    address.retarget(next);
    await atOld.replicaof(next.host, next.port);
    const moved = performance.now();
    const first = await publish(gateway, id, statusUpdate({ message: "nobody" }));
    expect([first.status, await first.json()]).toMatchObject([503, { code: "broker_unavailable" }]);
    expect(await (await fetch(`${gateway.url}/ready`)).json()).toEqual({
      ready: false,
      reason: "the broker is a replica and takes no writes",
    });
    await eventually("it publishes again", async () => {
      const answer = await publish(gateway, id, statusUpdate({ message: "3" }), { "Idempotency-Key": "3" });
      return answer.status === 202;
    });
    await eventually("it is ready", isReady);
    expect(performance.now() - moved).toBeLessThan(10_000);
    await eventually("nobody is left behind", async () => (await clientsOf(atOld)).length === 0);
    await eventually("all are there", async () => (await clientsOf(atNext)).length === 7);
    expect(performance.now() - moved).toBeLessThan(10_000);
    await eventually("it is ready", isReady);
    await bare(atNext, id, "4");
    await socket.until(({ message }) => message === "4");
    expect(socket.events.map(({ message }) => message)).toEqual(["1", "2", "3", "4"]);
    await atNext.xadd(
      "telltale:inbox",
      "*",
      "event",
      JSON.stringify({ ...statusUpdate({ message: "5" }), analysis_id: id }),
    );
    await socket.until(({ message }) => message === "5");
    await eventually("its end is told", async () => lines().some(({ msg }) => msg === "the broker is back"));
    expect(lines().filter(({ msg }) => msg === "the broker is away")).toMatchObject([{ cause: "read_only" }]);
    await socket.leave();
  }, 60_000);

  test("RDY-3: a gateway notices the demotion though nobody publishes", async () => {
    await replicate();
    await atNext.replicaof("NO", "ONE");
    address.retarget(next);
    await atOld.replicaof(next.host, next.port);
    const moved = performance.now();
    await eventually("it is known", async () => !(await isReady()));
    await eventually("it is ready", isReady);
    await eventually("all are there", async () => (await clientsOf(atNext)).length === 7);
    expect(performance.now() - moved).toBeLessThan(10_000);
  }, 60_000);

  test("RDY-3: a gateway leaves a server that refuses for another reason, for the one that the address leads to by then", async () => {
    await atOld.config("SET", "maxmemory", "1");
    address.retarget(next);
    const moved = performance.now();
    await eventually("it is known", async () => !(await isReady()));
    await eventually("it is ready", isReady);
    expect(performance.now() - moved).toBeLessThan(10_000);
    expect((await publish(gateway, crypto.randomUUID(), statusUpdate())).status).toBe(202);
    await eventually("all are there", async () => (await clientsOf(atNext)).length === 7);
  }, 60_000);

  test("RDY-3: a gateway that finds a replica from the start waits for a primary", async () => {
    await replicate();
    address.retarget(next);
    const other = await startGateway({ REDIS_HOST: address.host, REDIS_PORT: `${address.port}` });
    try {
      expect(await (await fetch(`${other.url}/ready`)).json()).toMatchObject({
        reason: "the broker is a replica and takes no writes",
      });
      const before = Number(/total_connections_received:(\d+)/.exec(await atNext.info("stats"))?.[1]);
      await atNext.ping();
      address.retarget(old);
      await eventually("it is ready", async () => (await fetch(`${other.url}/ready`)).ok);
      const after = Number(/total_connections_received:(\d+)/.exec(await atNext.info("stats"))?.[1]);
      expect(after - before).toBeLessThan(20);
    } finally {
      await other.stop();
    }
  }, 60_000);
});
