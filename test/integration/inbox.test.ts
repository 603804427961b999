import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { RedisDeadLetters } from "../../src/adapters/redis/redis-dead-letters.ts";
import { RedisInbox } from "../../src/adapters/redis/redis-inbox.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { IngestInboxEntries } from "../../src/application/ingest-inbox-entries.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { statusUpdate } from "../support/publishing.ts";
import { RedisNodes } from "../support/redis-nodes.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

const INBOX = "telltale:inbox";
/** Five seconds, and as many for a machine that has other things to do. */
const TAKEN_OVER_MS = 10_000;

interface InboxHealthFields {
  readonly inbox: { readonly status: string; readonly reason?: string };
}

/** Workers that XADD, and gateways that come, go, freeze and die. Sequence numbers inside the events tell what became of them. */
describe.skipIf(!needs("redis-server"))("the inbox", () => {
  let redis: RunningRedis;
  let worker: Redis;
  let running: GatewayProcess[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    worker = new Redis(redis.url);
  });
  beforeEach(async () => void (await worker.flushall()));
  afterEach(async () => {
    await Promise.all(running.map((gateway) => gateway.kill9()));
    running = [];
  });
  afterAll(async () => {
    worker.disconnect();
    await redis.stop();
  });

  const start = async (env: Record<string, string> = {}) => {
    const gateway = await startGateway({
      REDIS_URL: redis.url,
      LISTEN: "none",
      HISTORY_SIZE: "100000",
      ...env,
    });
    running.push(gateway);
    return gateway;
  };
  const analyses = (count: number) => Array.from({ length: count }, () => crypto.randomUUID());

  /** The next number of each analysis, in the order given; every tenth event is of an attempt of its worker. */
  class Numbering {
    readonly #next = new Map<string, number>();

    async add(ids: readonly string[]): Promise<void> {
      const pipeline = worker.pipeline();
      for (const analysis_id of ids) {
        const number = (this.#next.get(analysis_id) ?? 0) + 1;
        this.#next.set(analysis_id, number);
        const attempt = number % 10 === 0 ? { attempt_id: "first" } : {};
        const event = statusUpdate({ analysis_id, message: `${number}`, ...attempt });
        pipeline.xadd(INBOX, "*", "event", JSON.stringify(event));
      }
      await pipeline.exec();
    }

    /** 0 lost, 0 doubled, 0 out of order. */
    async verify(): Promise<void> {
      for (const [id, count] of this.#next) {
        expect(await messages(id)).toEqual(Array.from({ length: count }, (_, index) => `${index + 1}`));
      }
    }
  }

  const messages = async (id: string) =>
    (await worker.xrange(`telltale:{analysis:${id}}:history`, "-", "+")).map(
      ([, fields]) => JSON.parse(fields[1] as string).message as string,
    );
  const emptied = () => eventually("the inbox is empty", async () => (await worker.xlen(INBOX)) === 0);
  const letters = async () =>
    (await worker.xrange("telltale:deadletters", "-", "+")).map(
      ([, fields]) => fields[fields.indexOf("reason") + 1],
    );
  const health = async (gateway: GatewayProcess) =>
    (await (await fetch(`${gateway.url}/ws/health`)).json()) as InboxHealthFields;

  test("INB-1: a backlog of thousands from while nobody ran is stored in order, poison among it", async () => {
    const numbering = new Numbering();
    const ids = analyses(40);
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 5; n++) await numbering.add(ids);
      await worker.xadd(INBOX, "*", "event", "{poison");
      await worker.xadd(INBOX, "*", "evnt", "{}");
      await worker.xadd(INBOX, "*", "event", Buffer.from([0xff, 0xfe]));
    }
    await Promise.all([start(), start()]);
    await emptied();
    await numbering.verify();
    expect((await letters()).length).toBe(60);
  }, 30_000);

  test("INB-2: gateways killed at any instant lose nothing, double nothing, and keep the order", async () => {
    const numbering = new Numbering();
    const ids = analyses(6);
    const gateways = await Promise.all([start(), start(), start()]);
    for (let round = 0; round < 9; round++) {
      const adding = (async () => {
        for (let n = 0; n < 15; n++) await numbering.add([...ids, ...ids, ...ids]);
        await worker.xadd(INBOX, "*", "event", `{poison ${round}`);
      })();
      await Bun.sleep(Math.random() * 30);
      // Two of three, so that the one that takes is likely among them.
      const victims = [round % 3, (round + 1) % 3];
      await Promise.all(victims.map((victim) => gateways[victim]?.kill9()));
      await adding;
      await Promise.all(
        victims.map(async (victim) => {
          gateways[victim] = await start();
        }),
      );
    }
    await emptied();
    await numbering.verify();
    expect((await letters()).length).toBe(9);
  }, 60_000);

  test("INB-2: when the one that takes is frozen another has taken over within 5 s, and waking harms nothing", async () => {
    const numbering = new Numbering();
    const [id] = analyses(1) as [string];
    const gateways = await Promise.all([start(), start()]);
    await numbering.add([id]);
    await emptied();
    for (const frozen of gateways) {
      process.kill(frozen.pid, "SIGSTOP");
      const began = performance.now();
      for (let n = 0; n < 20; n++) await numbering.add([id]);
      await emptied();
      expect(performance.now() - began).toBeLessThan(TAKEN_OVER_MS);
      process.kill(frozen.pid, "SIGCONT");
      await numbering.add([id]);
    }
    await emptied();
    await numbering.verify();
  }, 40_000);

  test("INB-2: two takers that heed no lease store each entry once and in order", async () => {
    const nodes = new RedisNodes(redis);
    const options = {
      target: { host: redis.host, port: redis.port, db: 0 },
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
    };
    const deadLetters = new RedisDeadLetters(options);
    const inboxes = [1, 2].map(() => new RedisInbox({ ...options, node: "same" }));
    const takers = inboxes.map(
      (inbox) =>
        new IngestInboxEntries(
          inbox,
          nodes.make({ size: 100_000 }),
          deadLetters,
          options.clock,
          options.telemetry,
        ),
    );
    const numbering = new Numbering();
    const ids = analyses(5);
    for (const taker of takers) taker.start();
    for (let n = 0; n < 300; n++) await numbering.add(ids);
    await worker.xadd(INBOX, "*", "event", "{poison");
    await emptied();
    await Promise.all(takers.map((taker) => taker.stop()));
    await Promise.all([...inboxes, deadLetters].map((one) => one.close()));
    await nodes.close();
    await numbering.verify();
    expect(await letters()).toHaveLength(1);
    expect(options.telemetry.counts.get("inbox_entries_seen")).toBeGreaterThan(0);
  }, 30_000);

  test("INB-6: with a full memory entries wait, and are stored in order once there is room", async () => {
    const numbering = new Numbering();
    const ids = analyses(3);
    for (let n = 0; n < 50; n++) await numbering.add(ids);
    await worker.config("SET", "maxmemory", "1");
    const gateway = await start();
    await eventually("it says why", async () => gateway.output().includes("the inbox cannot be emptied"));
    expect(await worker.xlen(INBOX)).toBe(150);
    await worker.config("SET", "maxmemory", "0");
    await emptied();
    await numbering.verify();
  }, 30_000);

  test("INB-5: an inbox that is no stream is told in health and log, and the gateway serves on", async () => {
    await worker.lpush(INBOX, "x");
    const gateway = await start();
    await eventually("health tells it", async () => (await health(gateway)).inbox.status === "down");
    expect((await health(gateway)).inbox.reason).toContain("no stream");
    expect(gateway.output()).toContain("no stream");
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(200);
    await worker.del(INBOX);
    const numbering = new Numbering();
    await numbering.add(analyses(2));
    await emptied();
    await numbering.verify();
    await eventually("health is up", async () => (await health(gateway)).inbox.status === "up");
  }, 30_000);

  test("INB-12: a worker that uses up the ids of the inbox stops no other worker for long, and loses nobody an event", async () => {
    const gateways = await Promise.all([start(), start()]);
    const [victim, other] = analyses(2) as [string, string];
    const add = (id: string, analysis_id: string, message: string) =>
      worker.xadd(INBOX, id, "event", JSON.stringify(statusUpdate({ analysis_id, message })));
    await add("*", victim, "1");
    await add("99999999999999-0", victim, "2");
    await add("*", other, "1");
    await worker.xadd(INBOX, "18446744073709551615-18446744073709551614", "event", "x");
    await add("*", victim, "3");
    await eventually("the inbox takes entries again", async () => {
      const id = await add("*", victim, "4").catch((error: Error) => error.message);
      return !id?.includes("exhausted");
    });
    await add("*", other, "2");
    await emptied();
    expect([await messages(victim), await messages(other)]).toEqual([
      ["1", "2", "3", "4"],
      ["1", "2"],
    ]);
    expect((await letters()).length).toBe(1);
    const output = gateways.map((gateway) => gateway.output()).join("");
    expect(output.split("the inbox was made anew")).toHaveLength(2);
    expect(output).not.toContain("the inbox cannot be emptied");
    expect((await fetch(`${gateways[0]?.url}/ready`)).status).toBe(200);
  }, 30_000);

  test("INB-1: a Redis that loses everything is served on", async () => {
    await start();
    const ids = analyses(3);
    const before = new Numbering();
    for (let n = 0; n < 20; n++) await before.add(ids);
    await worker.flushall();
    const after = new Numbering();
    for (let n = 0; n < 20; n++) await after.add(analyses(3));
    await emptied();
    await after.verify();
  }, 30_000);

  test("INB-7: gateways that are stopped in the middle of a backlog leave the rest to the next", async () => {
    const numbering = new Numbering();
    const ids = analyses(20);
    for (let n = 0; n < 250; n++) await numbering.add(ids);
    for (let round = 0; round < 3; round++) {
      const gateway = await start();
      await eventually("it has begun", async () => (await worker.xlen(INBOX)) < 5_000 - round);
      expect(await gateway.stop()).toBe(0);
    }
    await start();
    await emptied();
    await numbering.verify();
  }, 30_000);

  test.skipIf(!needs("celery"))(
    "INB-1: the worker in Python changes one line, and no gateway need be running",
    async () => {
      const [id] = analyses(1) as [string];
      const program = new URL("../../examples/python-worker/worker.py", import.meta.url).pathname;
      const child = Bun.spawn(["/usr/bin/python3", program, id, "--seconds", "0.2", "--inbox"], {
        env: { PATH: process.env.PATH ?? "", REDIS_URL: redis.url },
        stderr: "pipe",
      });
      expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
      expect(await worker.xlen(INBOX)).toBe(22);
      await start();
      await emptied();
      expect(await letters()).toEqual([]);
      const stored = await messages(id);
      expect([stored.length, stored[0], stored.at(-1)]).toEqual([
        22,
        "Opening the video",
        "Analysis finished",
      ]);
    },
    20_000,
  );
});
