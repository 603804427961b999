import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { type ProxiedConnection, TcpProxy } from "../support/tcp-proxy.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** The faults that a gateway notices by itself, on a Redis that silently loses messages. */
describe.skipIf(!needs("redis-server"))("feeds that resync", () => {
  let redis: RunningRedis;
  let admin: Redis;
  let proxy: TcpProxy;
  let gateway: GatewayProcess;
  let elsewhere: GatewayProcess;

  beforeAll(async () => {
    redis = await startRedis();
    admin = patientClient(redis);
    proxy = await TcpProxy.start(redis);
    gateway = await startGateway({ REDIS_URL: `redis://${proxy.host}:${proxy.port}` });
    elsewhere = await startGateway({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), elsewhere.stop()]);
    admin.disconnect();
    await proxy.stop();
    await redis.stop();
  });

  const watch = async (id: string, query: Record<string, string> = {}) => {
    const token = await tokenFor({ user: crypto.randomUUID() });
    const socket = new WatchingSocket(watchUrl(gateway.url, id, { token, ...query }));
    await socket.established();
    return socket;
  };
  const say = async (id: string, message: string) => {
    expect((await publish(elsewhere, id, statusUpdate({ message }))).status).toBe(202);
  };
  /** The connection on which this gateway hears of that analysis. */
  const subscriberOf = (id: string): ProxiedConnection => {
    const found = proxy.connections.find(
      ({ opening }) => opening.includes(`{analysis:${id}}`) && opening.includes("subscribe"),
    );
    if (found === undefined) throw new Error("nobody subscribed");
    return found;
  };
  const ready = async ({ url } = gateway) => (await fetch(`${url}/ready`)).status === 200;
  const told = (socket: WatchingSocket) =>
    socket.frames.filter((frame) => frame.event_type === "connection_established").length - 1;

  test("ID-3: the last event before a silence, lost on the way, is there within 5 s", async () => {
    const id = crypto.randomUUID();
    const socket = await watch(id);
    await say(id, "first");
    await socket.untilType("status_update");
    const connection = subscriberOf(id);
    connection.lose("down", true);
    await publish(elsewhere, id, resultUpdate());
    connection.lose("down", false);
    const lostAt = performance.now();
    await socket.untilType("result_update");
    expect(performance.now() - lostAt).toBeLessThan(5_000);
    expect(told(socket)).toBe(0);
    await socket.leave();
  });

  describe("after a restart of Redis", () => {
    beforeEach(async () => {
      await admin.flushall();
    });
    afterEach(async () => {
      await eventually("the gateway is ready", () => ready());
    });

    test("ID-4: that lost nothing, nobody is disturbed, and the numbers go on in a new epoch", async () => {
      const id = crypto.randomUUID();
      const socket = await watch(id);
      await say(id, "before");
      await socket.until((frame) => frame.message === "before");
      await admin.save();
      await redis.restart();
      await eventually("the other gateway is ready", () => ready(elsewhere));
      await say(id, "after");
      await socket.until((frame) => frame.message === "after");
      const ids = socket.events.map((event) => event.event_id?.split("-") ?? []);
      expect(ids.map(([, offset]) => offset)).toEqual(["1", "2"]);
      expect(ids[0]?.[0]).not.toBe(ids[1]?.[0]);
      expect(told(socket)).toBe(0);
      await socket.leave();
    });

    test("ID-4: from an older dump, who saw what is lost is told within 5 s of it being back, who did not is not", async () => {
      const id = crypto.randomUUID();
      await say(id, "kept");
      await admin.save();
      const witness = await watch(id);
      await say(id, "lost");
      await witness.until((frame) => frame.message === "lost");
      const quiet = crypto.randomUUID();
      const unaware = await watch(quiet);
      await redis.kill9();
      await redis.restart();
      await eventually("the gateway is ready", () => ready());
      const backAt = performance.now();
      await eventually("the witness is told", async () => told(witness) === 1);
      expect(performance.now() - backAt).toBeLessThan(5_000);
      await eventually("what is left follows", async () => witness.frames.at(-1)?.message === "kept");
      expect(told(unaware)).toBe(0);
      await eventually("the other gateway is ready too", () => ready(elsewhere));
      await say(quiet, "goes on");
      await unaware.until((frame) => frame.message === "goes on");
      await Promise.all([witness.leave(), unaware.leave()]);
    });

    test("ID-4: a history that expired under a watcher is found to be lost, though nothing is published", async () => {
      const id = crypto.randomUUID();
      const socket = await watch(id);
      await say(id, "short-lived");
      await socket.untilType("status_update");
      await admin.del(`telltale:{analysis:${id}}`, `telltale:{analysis:${id}}:history`);
      await eventually("the watcher is told", async () => told(socket) === 1);
      expect(socket.frames.at(-1)?.event_type).toBe("connection_established");
      await socket.leave();
    });
  });
});
