import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { tmpdir } from "node:os";
import { openRedisBroker } from "../../src/adapters/redis/redis-broker.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { brokerContract } from "../../src/testing/testing.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { patientClient } from "../support/patient-client.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { SentinelGroup } from "../support/redis-sentinels.ts";
import { PRIMARY } from "../support/sentinel.ts";
import { runOf } from "../support/telltale-run.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { type Frame, WatchingSocket, watchUrl } from "../support/watching-socket.ts";

setDefaultTimeout(60_000);

/** A machine with other work may fail over more than once. */
const PATIENCE_MS = 60_000;

describe.skipIf(!needs("redis-server"))("a Redis behind sentinels", () => {
  let group: SentinelGroup;
  const endings: (() => unknown)[] = [];
  beforeAll(async () => {
    group = await SentinelGroup.start();
  });
  afterEach(async () => {
    for (const ending of endings.splice(0).reverse()) await ending();
  });
  afterAll(() => group.stop());

  async function gatewayAt(env: Record<string, string> = {}): Promise<GatewayProcess> {
    const gateway = await startGateway({ REDIS_URL: group.url, ...env });
    endings.push(() => gateway.stop());
    return gateway;
  }
  const isReady = async ({ url }: GatewayProcess) => (await fetch(`${url}/ready`)).ok;

  test("one sentinel that is away, and a stranger among them, stop nobody", async () => {
    const [, ...others] = group.sentinels;
    const servers = ["127.0.0.1:1", ...others.map(({ port }) => `127.0.0.1:${port}`)];
    const gateway = await gatewayAt({ REDIS_URL: `redis+sentinel://${servers.join(",")}/${PRIMARY}/1` });
    await eventually("it is ready", () => isReady(gateway));
  });

  /** Publishes until it is acknowledged, as a backend does: it may be sent again, and counts once. */
  async function publishSurely(gateway: GatewayProcess, id: string, message: string): Promise<void> {
    await eventually(
      `${message} is acknowledged`,
      async () =>
        (await publish(gateway, id, statusUpdate({ message }), { "Idempotency-Key": message })).status ===
        202,
      PATIENCE_MS,
    );
  }

  /** The history, in its order. */
  async function kept(gateway: GatewayProcess, id: string): Promise<Frame[]> {
    const headers = { Authorization: `Bearer ${await tokenFor()}` };
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}/events?limit=1000`, { headers });
    return ((await answer.json()) as { events: Frame[] }).events;
  }

  /** Each resolves when another primary than before is chosen, with what mends the rest. */
  const faults: [string, (group: SentinelGroup) => Promise<() => Promise<void>>][] = [
    [
      "is killed",
      async (group) => {
        const old = await group.primary();
        await old.kill9();
        await group.untilAnotherThan(old);
        return () => old.restart();
      },
    ],
    [
      "is killed, and is promoted again as soon as it is back",
      async (group) => {
        const old = await group.primary();
        await old.kill9();
        await group.untilAnotherThan(old);
        const next = group.otherThan(old);
        process.kill(next.pid ?? 0, "SIGSTOP");
        // It does not follow the next one, which hangs, and the sentinels know no other.
        await old.restart();
        await group.untilAnotherThan(next);
        return async () => void process.kill(next.pid ?? 0, "SIGCONT");
      },
    ],
    [
      "hangs",
      async (group) => {
        const old = await group.primary();
        process.kill(old.pid ?? 0, "SIGSTOP");
        await group.untilAnotherThan(old);
        return async () => void process.kill(old.pid ?? 0, "SIGCONT");
      },
    ],
    [
      "is demoted by hand",
      async (group) => {
        await group.demotePrimary();
        return async () => {};
      },
    ],
  ];

  test.each(faults)(
    "RDY-3: the primary %s: the gateways find the next one, and lose or double nothing that was acknowledged",
    async (_, strike) => {
      await group.untilReplicated();
      const [one, other] = await Promise.all([gatewayAt(), gatewayAt()]);
      try {
        await survives(strike, one, other);
      } catch (error) {
        console.error([await group.report(), one.output(), other.output()].join("\n"));
        throw error;
      }
    },
    240_000,
  );

  async function survives(
    strike: (group: SentinelGroup) => Promise<() => Promise<void>>,
    one: GatewayProcess,
    other: GatewayProcess,
  ): Promise<void> {
    for (const gateway of [one, other]) await eventually("it is ready", () => isReady(gateway), PATIENCE_MS);
    const id = crypto.randomUUID();
    const socket = new WatchingSocket(watchUrl(other.url, id, { token: await tokenFor(), conflate: "none" }));
    await socket.established();
    const acknowledged: string[] = [];
    let ended = false;
    const traffic = (async () => {
      for (let n = 0; !ended; n++) {
        await publishSurely(one, id, `${n}`);
        acknowledged.push(`${n}`);
      }
    })();
    const failovers = await group.failovers();
    await eventually("events flow", async () => acknowledged.length > 20, PATIENCE_MS);
    const mend = await strike(group);
    // Nothing is acknowledged before a replica has it.
    await mend();
    await group.untilReplicated();
    for (const gateway of [one, other])
      await eventually("it is ready again", () => isReady(gateway), PATIENCE_MS);
    const before = acknowledged.length;
    await eventually("events flow again", async () => acknowledged.length > before + 20, PATIENCE_MS);
    ended = true;
    await traffic;
    const history = await kept(other, id);
    expect(history.map(({ message }) => message)).toEqual(acknowledged);
    const last = acknowledged.at(-1);
    await socket.until(({ message }) => message === last);
    // An event that was delivered before a replica had it may be lost: then the watcher is told to start afresh, and gets the
    // last status and what follows. Else it is sent every event. A machine with other work may see more failovers than one.
    const sent = new Set(socket.events.map(({ event_id }) => event_id));
    const known = new Set(history.map(({ event_id }) => event_id));
    const lost = [...sent].filter((id) => !known.has(id ?? ""));
    const begun = socket.frames.filter(({ event_type }) => event_type === "connection_established").length;
    const promoted = (await group.failovers()) - failovers;
    expect(begun).toBeLessThanOrEqual(1 + promoted);
    if (lost.length > 0) expect(begun).toBeGreaterThan(1);
    if (lost.length === 0 && promoted === 1) expect(begun).toBe(1);
    if (begun === 1) expect(history.filter(({ event_id }) => !sent.has(event_id))).toEqual([]);
  }

  test.each([
    ["away", () => `redis+sentinel://127.0.0.1:1,127.0.0.1:2/${PRIMARY}`, "the sentinel 127.0.0.1:"],
    [
      "asked for another name",
      () => group.url.replace(PRIMARY, "other"),
      "knows no primary of the name in REDIS_URL",
    ],
    [
      "no sentinels at all",
      () => `redis+sentinel://127.0.0.1:${group.servers[0].port}/${PRIMARY}`,
      "unknown command",
    ],
  ])("RDY-2: sentinels that are %s are named in the log", async (_, url, words) => {
    const gateway = await gatewayAt({ REDIS_URL: url() });
    await eventually("it says so", async () => gateway.output().includes(words));
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(503);
  });

  test("servers that keep nothing on disk are a warning for as long as they are so", async () => {
    const gateway = await gatewayAt();
    const redis = patientClient(await group.primary());
    endings.push(() => redis.disconnect());
    const warnings = async () => {
      const health = await (await fetch(`${gateway.url}/ws/health`)).json();
      return (health as { broker: { warnings: string[] } }).broker.warnings;
    };
    await eventually("it is ready", () => isReady(gateway), PATIENCE_MS);
    expect(await warnings()).toEqual([]);
    await redis.config("SET", "appendonly", "no");
    endings.push(() => redis.config("SET", "appendonly", "yes"));
    await eventually("it is told", async () => (await warnings()).length === 1);
    expect(await warnings()).toEqual([expect.stringContaining("set appendonly yes on every server")]);
    expect(gateway.output()).toContain("sentinels may promote it");
    await redis.config("SET", "appendonly", "yes");
    await eventually("it is no more", async () => (await warnings()).length === 0);
  });

  test("REDIS_SENTINEL_PASSWORD is shown to sentinels that ask for one, and its lack is named", async () => {
    const [only] = group.sentinels;
    await only?.demand("theirs");
    endings.push(() => only?.demand(undefined));
    const REDIS_URL = `redis+sentinel://127.0.0.1:${only?.port}/${PRIMARY}`;
    const [good, bad] = await Promise.all([
      gatewayAt({ REDIS_URL, REDIS_SENTINEL_PASSWORD: "theirs" }),
      gatewayAt({ REDIS_URL }),
    ]);
    await eventually("it is ready", () => isReady(good));
    const wrong = await gatewayAt({ REDIS_URL, REDIS_SENTINEL_PASSWORD: "other" });
    for (const [{ output }, reply] of [
      [bad, "NOAUTH"],
      [wrong, "WRONGPASS"],
    ] as const)
      await eventually("it says so", async () =>
        new RegExp(`${reply}.*look at REDIS_SENTINEL_PASSWORD`).test(output()),
      );
    expect(await (await fetch(`${bad.url}/ready`)).text()).toContain("user name or password");
  });

  describe("as an adapter", () => {
    beforeAll(() => group.settle());

    brokerContract(
      "Redis behind sentinels",
      async () => {
        const primary = await group.primary();
        const client = patientClient(primary);
        await client.flushall();
        const servers = group.sentinels.map(({ port }) => ({ host: "127.0.0.1", port }));
        return {
          node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) => {
            const node = openRedisBroker({
              target: { db: 0, sentinels: { name: PRIMARY, servers } },
              ...{ clock: new SystemClock(), telemetry: new CollectingTelemetry() },
              ...{ history: { size, ttlMs }, waitReplicas: "seen" },
              listen: new Set(["analysis", "user", "system"] as const),
            });
            await eventually("it knows of the replica", async () => node.events.durability.replicas === 1);
            return node;
          },
          elapse: (milliseconds) => Bun.sleep(milliseconds),
          restart: async () => {
            await primary.kill9();
            await primary.restart();
            await group.untilReplicated();
          },
          loseEverything: async () => void (await client.flushall()),
          writeNewerFormat: async (channel) =>
            void (await client.hset(`telltale:{${channel}}`, "format", "9")),
          publish: async (channel, payload) => void (await client.publish(channel, payload)),
          add: async (fields) => String(await client.xadd("telltale:inbox", "*", ...fields.flat())),
          close: async () => client.disconnect(),
        };
      },
      {
        endedCancels: true,
        capabilities: ["dead_letters", "inbox", "worker_channels", "durability:disk", "replicas:1"],
        newerFormat: true,
        inbox: { keys: true, entryIds: TIMED_IDS },
      },
    );
  });

  test("RUN-2: `telltale run` publishes through the inbox of the primary that sentinels name", async () => {
    const gateway = await gatewayAt();
    const id = crypto.randomUUID();
    const words = ["--analysis", id, "--", "sh", "-c", "echo 1/2"];
    expect(await runOf(tmpdir(), { TELLTALE_URL: group.url }, words).exited).toBe(0);
    await eventually("the gateway has taken its end", async () =>
      (await kept(gateway, id)).some(({ current_stage }) => current_stage === "completed"),
    );
  });
});
