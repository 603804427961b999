import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { runtimeCommand } from "../support/runtime-command.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** A gateway as a process, on a Redis that is not as it should be. */
describe.skipIf(!needs("redis-server"))("a gateway whose Redis is at fault", () => {
  let redis: RunningRedis;
  let admin: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    admin = patientClient(redis);
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  const isReady = async ({ url }: GatewayProcess) => (await fetch(`${url}/ready`)).ok;
  const watch = async ({ url }: GatewayProcess, id: string) =>
    new WatchingSocket(watchUrl(url, id, { token: await tokenFor() }));

  test("a database that Redis refuses is never another one instead", async () => {
    const gateway = await startGateway({
      REDIS_HOST: redis.host,
      REDIS_PORT: `${redis.port}`,
      REDIS_DB: "99",
    });
    const ready = await fetch(`${gateway.url}/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      reason: "the broker does not have the database that is configured",
    });
    const answer = await publish(gateway, crypto.randomUUID(), statusUpdate());
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: "broker_unavailable" }]);
    expect(await admin.dbsize()).toBe(0);
    expect(await gateway.stop()).toBe(0);
  });

  test("PUB-10: a Redis that hangs: 503 outcome_unknown within five seconds, and it is not stored on waking", async () => {
    const { pid } = redis;
    if (pid === undefined) return console.warn("skipped: a container cannot be frozen from here");
    const gateway = await startGateway({ REDIS_URL: redis.url });
    const [id, other] = [crypto.randomUUID(), crypto.randomUUID()];
    const post = async (message: string, to = id) => {
      const started = performance.now();
      const answer = await publish(gateway, to, statusUpdate({ message }), { "Idempotency-Key": message });
      return { status: answer.status, ...(await answer.json()), after: performance.now() - started };
    };
    expect(await post("before")).toMatchObject({ status: 202 });
    process.kill(pid, "SIGSTOP");
    try {
      for (const answer of await Promise.all([post("late"), post("late", other)])) {
        expect(answer).toMatchObject({ status: 503, code: "outcome_unknown" });
        expect(answer.after).toBeLessThan(5_000);
      }
      // Now it is known to be away.
      const refused = await post("refused");
      expect(refused).toMatchObject({ status: 503, code: "broker_unavailable" });
      expect(refused.after).toBeLessThan(1_500);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await eventually("it is back", () => isReady(gateway));
    expect(await post("late", other)).toMatchObject({ status: 202, duplicate: false });
    const kept = async (of: string) =>
      (await admin.xrange(`telltale:{analysis:${of}}:history`, "-", "+")).map(
        ([, [, text = ""]]) => JSON.parse(text).message,
      );
    expect([await kept(id), await kept(other)]).toEqual([["before"], ["late"]]);
    await gateway.stop();
  }, 20_000);

  test("PUB-10: a Redis that is full, or became a replica: 503 broker_unavailable, at once, nothing half-written", async () => {
    const gateway = await startGateway({ REDIS_URL: redis.url });
    const id = crypto.randomUUID();
    const batch = [statusUpdate(), statusUpdate({ current_stage: "failed" })];
    const refused = async () => {
      const started = performance.now();
      const answer = await publish(gateway, id, batch, { "Idempotency-Key": "k" });
      expect([answer.status, await answer.json()]).toMatchObject([503, { code: "broker_unavailable" }]);
      expect(performance.now() - started).toBeLessThan(1_500);
    };
    expect((await publish(gateway, id, statusUpdate())).status).toBe(202);
    const kept = async () => [
      await admin.hgetall(`telltale:{analysis:${id}}`),
      await admin.xrange(`telltale:{analysis:${id}}:history`, "-", "+"),
      await admin.keys(`telltale:{analysis:${id}}*`),
    ];
    const before = await kept();
    await admin.config("SET", "maxmemory", "1");
    await refused();
    await admin.config("SET", "maxmemory", "0");
    await admin.replicaof("127.0.0.1", "1");
    await refused();
    await admin.replicaof("NO", "ONE");
    expect(await kept()).toEqual(before);
    const stored = await publish(gateway, id, batch, { "Idempotency-Key": "k" });
    expect([stored.status, await stored.json()]).toMatchObject([202, { duplicate: false }]);
    await gateway.stop();
  }, 20_000);

  test("WS-14: nobody is let in while Redis is away, also if the analysis is watched already", async () => {
    const gateway = await startGateway({ REDIS_URL: redis.url });
    const id = crypto.randomUUID();
    const early = await watch(gateway, id);
    await early.established();
    await redis.kill9();
    // Each of its connections notices by itself, and only then refuses.
    await eventually("it is known", async () => {
      const health = await (await fetch(`${gateway.url}/ws/health`)).json();
      return (health as { counters: Record<string, number> }).counters.broker_links_lost === 7;
    });
    expect(await isReady(gateway)).toBe(false);
    expect(await (await watch(gateway, id)).closed).toMatchObject({
      code: 1013,
      reason: expect.stringMatching(/^retry_after_ms=\d+$/),
    });
    await redis.restart();
    await eventually("it is back", () => isReady(gateway));
    const late = await watch(gateway, id);
    await late.established();
    expect((await publish(gateway, id, statusUpdate({ message: "back" }))).status).toBe(202);
    for (const socket of [early, late]) await socket.until(({ message }) => message === "back");
    await gateway.stop();
  }, 20_000);

  test("OPS-3: SIGTERM ends a start that still waits for Redis, at once and with 0", async () => {
    const root = new URL("../..", import.meta.url).pathname;
    const starting = Bun.spawn(runtimeCommand(), {
      cwd: root,
      env: { PATH: process.env.PATH ?? "", PORT: "0", REDIS_HOST: "127.0.0.1", REDIS_PORT: "1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    try {
      // The gateway says what it waits for before it serves anybody.
      let written = "";
      for await (const bytes of starting.stderr) {
        written += new TextDecoder().decode(bytes);
        if (written.includes("no connection to Redis")) break;
      }
      starting.kill("SIGTERM");
      expect(await starting.exited).toBe(0);
    } finally {
      starting.kill("SIGKILL");
    }
    expect(await new Response(starting.stdout).text()).toBe("");
  });
});
