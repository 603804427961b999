import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { INBOX_LEASE_KEY } from "../../src/adapters/redis/redis-keys.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

/** Text that tells a stranger the address of the broker, or the words of the broker or its client. */
const NOT_FOR_STRANGERS =
  /\d+\.\d+\.\d+\.\d+|:\d{4,5}\b|ECONN|ERR |WRONGPASS|NOAUTH|NOPERM|OOM|Redis|retries/;

/** The readiness of a gateway as a process. */
describe.skipIf(!needs("redis-server"))("a gateway that is asked whether it is ready", () => {
  let redis: RunningRedis;
  let admin: Redis;
  const stops: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    admin = patientClient(redis);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  const start = async (env: Record<string, string> = { REDIS_URL: redis.url }) => {
    const gateway = await startGateway({ LOG_LEVEL: "info", ...env });
    stops.push(() => gateway.stop());
    return gateway;
  };
  const ready = async ({ url }: GatewayProcess) => {
    const answer = await fetch(`${url}/ready`);
    return { status: answer.status, ...((await answer.json()) as { ready: boolean; reason?: string }) };
  };
  const untilReady = (gateway: GatewayProcess, status: 200 | 503) =>
    eventually(`/ready is ${status}`, async () => (await ready(gateway)).status === status);
  const logged = (gateway: GatewayProcess) =>
    gateway
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  test("RDY-1 a full memory, missing replicas and a failing disk are shown within 10 s, and so is their end", async () => {
    const gateway = await start();
    expect(await ready(gateway)).toEqual({ status: 200, ready: true });
    const [directory, save] = [
      ((await admin.config("GET", "dir")) as string[])[1] ?? "",
      ((await admin.config("GET", "save")) as string[])[1] ?? "",
    ];
    const causes = [
      {
        reason: "the memory of the broker is full",
        begin: () => admin.config("SET", "maxmemory", "1"),
        end: () => admin.config("SET", "maxmemory", "0"),
      },
      {
        reason: "too few replicas of the broker are in step",
        begin: () => admin.config("SET", "min-replicas-to-write", "1"),
        end: () => admin.config("SET", "min-replicas-to-write", "0"),
      },
      {
        reason: "the broker cannot write to its disk",
        begin: async () => {
          await rm(directory, { recursive: true });
          await admin.config("SET", "save", "1 1000000");
          await admin.bgsave();
        },
        end: async () => {
          await admin.config("SET", "save", save);
          await mkdir(directory);
        },
      },
    ];
    for (const { reason, begin, end } of causes) {
      await begin();
      const since = performance.now();
      await untilReady(gateway, 503);
      expect(performance.now() - since).toBeLessThan(10_000);
      expect(await ready(gateway)).toEqual({ status: 503, ready: false, reason });
      expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
      await end();
      const mended = performance.now();
      await untilReady(gateway, 200);
      expect(performance.now() - mended).toBeLessThan(10_000);
    }
  }, 60_000);

  test("RDY-1 kept events are read and watched while the memory is full", async () => {
    const gateway = await start();
    const id = crypto.randomUUID();
    expect((await publish(gateway, id, statusUpdate({ message: "before" }))).status).toBe(202);
    await admin.config("SET", "maxmemory", "1");
    try {
      await untilReady(gateway, 503);
      const socket = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor() }));
      await socket.until(({ message }) => message === "before");
      await admin.config("SET", "maxmemory", "0");
      expect((await publish(gateway, id, statusUpdate({ message: "after" }))).status).toBe(202);
      await socket.until(({ message }) => message === "after");
      await socket.leave();
    } finally {
      await admin.config("SET", "maxmemory", "0");
    }
  }, 30_000);

  test("RDY-1 a trial append leaves nothing behind: no key, no event, no count, nothing for a watcher", async () => {
    await admin.flushall();
    const spy = patientClient(redis);
    const heard: string[] = [];
    await spy.psubscribe("analysis:*", "user:*", "system:*");
    spy.on("pmessage", (_, channel: string) => heard.push(channel));
    const gateway = await start();
    const calls = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info("commandstats"))?.[1] ?? 0);
    const before = await calls();
    await eventually("it was tried twice", async () => (await calls()) >= before + 4);
    // A gateway holds the lease of the inbox for as long as it runs.
    const kept = async () => (await admin.keys("telltale:{*")).filter((key) => key !== INBOX_LEASE_KEY);
    await eventually("nothing is kept", async () => (await kept()).length === 0);
    const health = await (await fetch(`${gateway.url}/ws/health`)).json();
    expect(health).toMatchObject({
      status: "ok",
      websocket_stats: { total_connections: 0, active_analyses: 0 },
      counters: {},
    });
    expect(heard).toEqual([]);
    spy.disconnect();
  }, 30_000);

  test("RDY-2 neither /ready, /ws/health, a problem nor a close tells a stranger what the log tells", async () => {
    const guarded = await startRedis();
    stops.push(() => guarded.stop());
    const owner = patientClient(guarded);
    await owner.config("SET", "requirepass", "right");
    owner.disconnect();
    const cases = [
      { env: { REDIS_HOST: "127.0.0.1", REDIS_PORT: "1" }, cause: "unreachable", log: "ECONNREFUSED" },
      {
        env: { REDIS_URL: `redis://:wrong@127.0.0.1:${guarded.port}` },
        cause: "credentials",
        log: "WRONGPASS",
      },
      { env: { REDIS_URL: guarded.url }, cause: "credentials", log: "NOAUTH" },
      { env: { REDIS_URL: `${redis.url}/99` }, cause: "database", log: "DB index" },
    ];
    const wrong = async ({ env, cause, log }: (typeof cases)[number]) => {
      const gateway = await start(env);
      const id = crypto.randomUUID();
      const headers = { Authorization: `Bearer ${await tokenFor()}` };
      const read = (path: string, accept = "*/*") =>
        fetch(`${gateway.url}${path}`, { headers: { ...headers, Accept: accept } });
      await eventually("it knows", async () => (await ready(gateway)).reason !== undefined);
      const health = await (await fetch(`${gateway.url}/ws/health`)).json();
      expect(health).toMatchObject({ status: "degraded", broker: { status: "down", cause } });
      for (const answer of [
        await fetch(`${gateway.url}/ready`),
        await publish(gateway, id, statusUpdate()),
        await read(`/v1/analyses/${id}`),
        await read(`/v1/analyses/${id}/events`),
        await read(`/v1/analyses/${id}/events?wait=1`),
        await read(`/v1/analyses/${id}/events`, "text/event-stream"),
      ]) {
        expect(answer.status).toBe(503);
        expect(await answer.text()).not.toMatch(NOT_FOR_STRANGERS);
      }
      const { timestamp, ...told } = health as Record<string, unknown>;
      expect(JSON.stringify(told)).not.toMatch(NOT_FOR_STRANGERS);
      const socket = new WatchingSocket(watchUrl(gateway.url, id, { token: await tokenFor() }));
      expect(await socket.closed).toEqual({ code: 1013, reason: "retry_after_ms=1000" });
      const lines = logged(gateway).filter(({ msg }) => msg === "the broker is away");
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatchObject({ cause, detail: expect.stringContaining(log) });
    };
    await Promise.all(cases.map(wrong));
  }, 30_000);

  test("OPS-4 a password that changes in Redis and in its file needs no restart", async () => {
    const guarded = await startRedis();
    stops.push(() => guarded.stop());
    const folder = await mkdtemp(join(tmpdir(), "telltale-password-"));
    stops.push(() => rm(folder, { recursive: true }));
    const REDIS_PASSWORD_FILE = join(folder, "password");
    const owner = patientClient(guarded);
    stops.push(async () => owner.disconnect());
    const becomes = async (password: string) => {
      await owner.config("SET", "requirepass", password);
      await writeFile(REDIS_PASSWORD_FILE, `${password}\n`);
    };
    await becomes("old");
    const gateway = await start({ REDIS_URL: guarded.url, REDIS_PASSWORD_FILE });
    await untilReady(gateway, 200);
    await becomes("new");
    for (const type of ["normal", "pubsub"])
      await owner.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes");
    const publishes = async () =>
      (await publish(gateway, crypto.randomUUID(), statusUpdate())).status === 202;
    await eventually("it publishes again", publishes);
    await untilReady(gateway, 200);
  }, 30_000);

  test("RDY-4 a user who may not run INFO: the reason names it, a publish is broker_unavailable, and it mends itself", async () => {
    await admin.call(
      "ACL",
      "SETUSER",
      "narrow",
      "on",
      ">secret",
      "~telltale:*",
      "&*",
      "+@all",
      "-@dangerous",
    );
    const gateway = await start({ REDIS_URL: `redis://narrow:secret@${redis.host}:${redis.port}` });
    expect(await ready(gateway)).toEqual({
      status: 503,
      ready: false,
      reason: "the gateway's user at the broker lacks a permission: INFO",
    });
    const id = crypto.randomUUID();
    const refused = await publish(gateway, id, statusUpdate());
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: "broker_unavailable" }]);
    expect(refused.headers.get("Retry-After")).toMatch(/^\d+$/);
    const declared = await fetch(`${gateway.url}/v1/analyses/${id}`, {
      method: "PUT",
      headers: {
        Authorization: `Bearer ${await tokenFor({ user: "worker", scopes: ["analysis:publish"] })}`,
      },
      body: JSON.stringify({ viewers: "*" }),
    });
    expect(declared.status).toBe(503);
    expect(gateway.output()).not.toContain("ready check");
    await admin.call("ACL", "SETUSER", "narrow", "+info");
    await untilReady(gateway, 200);
    expect((await publish(gateway, id, statusUpdate())).status).toBe(202);
  }, 30_000);

  test("RDY-4 a user who may not empty the inbox: not ready, and the reason says which permission", async () => {
    await admin.call("ACL", "SETUSER", "inboxless", "on", ">secret", "~telltale:*", "&*", "+@all", "-xread");
    const gateway = await start({ REDIS_URL: `redis://inboxless:secret@${redis.host}:${redis.port}` });
    await untilReady(gateway, 503);
    expect((await ready(gateway)).reason).toBe(
      "the inbox: the gateway's user at the broker lacks a permission: XREAD",
    );
    await admin.call("ACL", "SETUSER", "inboxless", "+xread");
    await untilReady(gateway, 200);
  }, 30_000);

  test("RDY-5 a channel of a newer format is named on every way; other channels are served; it mends itself", async () => {
    const gateway = await start();
    const [newer, other] = [crypto.randomUUID(), crypto.randomUUID()];
    for (const id of [newer, other]) expect((await publish(gateway, id, statusUpdate())).status).toBe(202);
    await admin.hset(`telltale:{analysis:${newer}}`, "format", "9");
    const token = await tokenFor();
    const get = (path: string, accept: string) =>
      fetch(`${gateway.url}/v1/analyses/${path}`, {
        headers: { Authorization: `Bearer ${token}`, Accept: accept },
      });
    for (const answer of [
      await get(newer, "*/*"),
      await get(`${newer}/events`, "*/*"),
      await get(`${newer}/events?wait=1`, "*/*"),
      await get(`${newer}/events`, "text/event-stream"),
      await publish(gateway, newer, statusUpdate()),
    ]) {
      expect(answer.status).toBe(503);
      const problem = (await answer.json()) as Record<string, string>;
      expect(problem.code).toBe("newer_format");
      expect(problem.title).not.toContain("away");
      expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    }
    const socket = new WatchingSocket(watchUrl(gateway.url, newer, { token }));
    expect(await socket.closed).toEqual({ code: 1013, reason: "retry_after_ms=10000 newer_format" });
    expect(await ready(gateway)).toMatchObject({
      status: 503,
      reason: expect.stringContaining("newer format"),
    });
    expect((await get(other, "*/*")).status).toBe(200);
    const watching = new WatchingSocket(watchUrl(gateway.url, other, { token }));
    await watching.established();
    await watching.leave();
    await admin.del(`telltale:{analysis:${newer}}`);
    await untilReady(gateway, 200);
    expect((await publish(gateway, newer, statusUpdate())).status).toBe(202);
  }, 30_000);

  test("RDY-6 the loss of Redis is one line with the cause; its return is one line with the length of the outage", async () => {
    const gateway = await start();
    const told = (from = 0) => logged(gateway).slice(from);
    const before = told().length;
    const socket = new WatchingSocket(
      watchUrl(gateway.url, crypto.randomUUID(), { token: await tokenFor() }),
    );
    await socket.established();
    await redis.kill9();
    await untilReady(gateway, 503);
    // Clients that come meanwhile are refused, without a line for each.
    for (let n = 0; n < 3; n++) {
      const late = new WatchingSocket(
        watchUrl(gateway.url, crypto.randomUUID(), { token: await tokenFor() }),
      );
      expect((await late.closed).code).toBe(1013);
      expect((await publish(gateway, crypto.randomUUID(), statusUpdate())).status).toBe(503);
    }
    expect(told(before)).toMatchObject([{ msg: "the broker is away", cause: "unreachable" }]);
    await redis.restart();
    await untilReady(gateway, 200);
    await eventually("its end is told", async () => told(before).length > 1);
    expect(told(before).slice(1)).toMatchObject([
      { msg: "the broker is back", cause: "unreachable", after_seconds: expect.any(Number) },
    ]);
    expect(gateway.output()).not.toContain("maxRetriesPerRequest");
    await socket.leave();
  }, 30_000);
});
