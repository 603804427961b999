import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { eventually } from "../support/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** A gateway as a process, on a Redis that is not as it should be. */
describe.skipIf(!needs("redis-server"))("a gateway whose Redis is at fault", () => {
  let redis: RunningRedis;
  let admin: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    admin = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    // A server that is being restarted refuses for a moment.
    admin.on("error", () => {});
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
    expect(await ready.json()).toMatchObject({ reason: expect.stringContaining("DB index is out of range") });
    const answer = await publish(gateway, crypto.randomUUID(), statusUpdate());
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: "broker_unavailable" }]);
    expect(await admin.dbsize()).toBe(0);
    expect(await gateway.stop()).toBe(0);
  });

  test("PUB-10: a script that Redis stops midway for want of a right has an unknown outcome", async () => {
    await admin.call("ACL", "SETUSER", "narrow", "on", ">secret", "~telltale:*", "&*", "+@all", "-info");
    const gateway = await startGateway({ REDIS_URL: `redis://narrow:secret@${redis.host}:${redis.port}` });
    const answer = await publish(gateway, crypto.randomUUID(), statusUpdate());
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: "outcome_unknown" }]);
    expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    await gateway.stop();
  });

  test("WS-14: nobody is let in while Redis is away, also where the analysis is watched already", async () => {
    const gateway = await startGateway({ REDIS_URL: redis.url });
    const id = crypto.randomUUID();
    const early = await watch(gateway, id);
    await early.established();
    await redis.kill9();
    await eventually("it is known", async () => !(await isReady(gateway)));
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
    const starting = Bun.spawn([process.execPath, "run", "src/main.ts"], {
      cwd: root,
      env: { PATH: process.env.PATH ?? "", PORT: "0", REDIS_HOST: "127.0.0.1", REDIS_PORT: "1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    try {
      // What it will wait out, said before it serves anybody.
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
