import { describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { startRedis } from "../support/redis-server.ts";
import { useRedis } from "../support/use-redis.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** Two gateways on one Redis, and workers that know nothing of either. */
describe.skipIf(!needs("redis-server"))("two gateways on one Redis", () => {
  const redis = useRedis();
  const gateways = [redis.useGateway(), redis.useGateway()] as const;

  const watch = async (gateway: GatewayProcess, id: string) => {
    const socket = new WatchingSocket(
      watchUrl(gateway.url, id, { token: await tokenFor({ user: crypto.randomUUID() }) }),
    );
    await socket.established();
    return socket;
  };

  test("a client of one gateway receives each event that is published through the other once", async () => {
    const id = crypto.randomUUID();
    const sockets = await Promise.all([...gateways, ...gateways].map((gateway) => watch(gateway, id)));
    for (let step = 1; step <= 50; step++) {
      const gateway = gateways[step % 2] as GatewayProcess;
      expect(
        (await publish(gateway, id, statusUpdate({ progress: step / 100, message: `step ${step}` }))).status,
      ).toBe(202);
    }
    await publish(gateways[0], id, resultUpdate());
    const expected = Array.from({ length: 50 }, (_, index) => `step ${index + 1}`);
    for (const socket of sockets) {
      await socket.untilType("result_update");
      expect(socket.events.slice(0, -1).map((event) => event.message)).toEqual(expected);
      expect(new Set(socket.events.map((event) => event.event_id)).size).toBe(51);
      await socket.leave();
    }
  });

  test("gateways that both hear a bare message make one numbered event of it, in the worker's order", async () => {
    const id = crypto.randomUUID();
    const sockets = await Promise.all(gateways.map((gateway) => watch(gateway, id)));
    for (let step = 1; step <= 200; step++) {
      const event = statusUpdate({ analysis_id: id, progress: step / 200, message: `step ${step}` });
      void redis.client.publish(`analysis:${id}`, JSON.stringify(event));
    }
    await redis.client.publish(`analysis:${id}`, JSON.stringify(resultUpdate({ analysis_id: id })));
    for (const socket of sockets) {
      await socket.untilType("result_update");
      const offsets = socket.events.map((event) => Number(event.event_id?.split("-")[1]));
      expect(offsets).toEqual(Array.from({ length: 201 }, (_, index) => index + 1));
      expect(socket.events.slice(0, -1).map((event) => event.message)).toEqual(
        Array.from({ length: 200 }, (_, index) => `step ${index + 1}`),
      );
      await socket.leave();
    }
  });

  test("the first watcher receives an event that was published before anybody watched", async () => {
    const id = crypto.randomUUID();
    await redis.client.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "early" })));
    const kept = async () => (await redis.client.exists(`telltale:{analysis:${id}}`)) === 1;
    await eventually("the event is kept", kept);
    const socket = await watch(gateways[1], id);
    expect(await socket.untilType("status_update")).toMatchObject({ message: "early" });
    await socket.leave();
  });

  test("the only watcher leaves, comes back and hears again, and a gateway without watchers subscribes to nothing", async () => {
    const id = crypto.randomUUID();
    const first = await watch(gateways[0], id);
    await first.leave();
    const own = `telltale:0:{analysis:${id}}`;
    await eventually("nothing is subscribed", async () => {
      const [, subscribers] = (await redis.client.pubsub("NUMSUB", own)) as [string, number];
      return subscribers === 0;
    });
    const again = await watch(gateways[0], id);
    await redis.client.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "back" })));
    expect(await again.until((frame) => frame.message === "back")).toMatchObject({
      event_type: "status_update",
    });
    await again.leave();
  });

  test("an invalid or misaddressed message reaches no client and is kept once as a dead letter", async () => {
    const id = crypto.randomUUID();
    const socket = await watch(gateways[0], id);
    const before = await redis.client.xlen("telltale:deadletters");
    await redis.client.publish(`analysis:${id}`, "{broken");
    await redis.client.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ progress: 7 })));
    await redis.client.publish("analysis:not-a-uuid", JSON.stringify(statusUpdate()));
    await redis.client.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: "good" })));
    await socket.until((frame) => frame.message === "good");
    await eventually(
      "three are kept as dead letters",
      async () => (await redis.client.xlen("telltale:deadletters")) >= before + 3,
    );
    expect(socket.events.map((event) => event.message)).toEqual(["good"]);
    const deadLetters = (await redis.client.xrange("telltale:deadletters", "-", "+"))
      .slice(before)
      .map(([, fields]) => fields);
    expect(deadLetters.map((fields) => fields[fields.indexOf("reason") + 1])).toEqual([
      expect.stringContaining("not_json"),
      expect.stringContaining("progress"),
      expect.stringContaining("channel"),
    ]);
    await socket.leave();
  });

  test("a gateway whose Redis goes away answers 503 and is not ready, and serves again when Redis is back", async () => {
    const own = await startRedis();
    const gateway = await startGateway({ REDIS_URL: own.url });
    await ready(gateway);
    const id = crypto.randomUUID();
    const socket = await watch(gateway, id);
    await publish(gateway, id, statusUpdate({ message: "before" }));
    await own.kill9();
    const refused = await publish(gateway, id, statusUpdate());
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).not.toBeNull();
    await eventually("not ready", async () => (await fetch(`${gateway.url}/ready`)).status === 503);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    await own.restart();
    await ready(gateway);
    await eventually(
      "stored again",
      async () => (await publish(gateway, id, statusUpdate({ message: "after" }))).status === 202,
    );
    await socket.until((frame) => frame.message === "after");
    // This Redis keeps nothing over a restart, and a client that saw a lost event is told.
    expect(
      socket.frames.map((frame) => [
        frame.event_type,
        frame.event_id === undefined ? frame.resumed : frame.message,
      ]),
    ).toEqual([
      ["connection_established", null],
      ["status_update", "before"],
      ["connection_established", false],
      ["status_update", "after"],
    ]);
    await gateway.stop();
    await own.stop();
  });
});

async function ready(gateway: GatewayProcess): Promise<void> {
  await eventually("ready", async () => (await fetch(`${gateway.url}/ready`)).status === 200);
}
