import { Redis } from "ioredis";
import { signToken } from "../src/adapters/jwt/token-signer.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { type Contestant, cpuSeconds, gateways, startContestant } from "./gateway-under-test.ts";

/**
 * `npx bun run bench/publishing.ts`: the cost of an event on each way in, over 200 analyses: CPU of the gateway and of
 * Redis, in microseconds. `-- --against FOLDER` adds the gateway of another checkout; only ratios can be compared.
 */
const EVENTS = 12_000;
const ANALYSES = 200;
const AT_ONCE = 32;
const ROUNDS = 3;
const SECRET = "kR8mQ2vX5tZ9wB3nL6pD1sF4hJ7gC0yA";

const redis = await startRedis();
if (redis.pid === undefined) throw new Error("needs a local redis-server, whose CPU time can be read");
const redisPid = redis.pid;
const worker = new Redis(redis.url);
const token = await signToken(
  SECRET,
  { user: "bench", analyses: "*", scopes: ["analysis:publish"], expiresInSeconds: 3600 },
  Date.now(),
);
const contestants = gateways({ REDIS_URL: redis.url, JWT_SECRET_KEY: SECRET, LOG_LEVEL: "warn" });

type Way = (url: string, id: string, event: string) => Promise<unknown>;
const ways: Readonly<Record<string, Way>> = {
  "HTTP publish": async (url, id, event) => {
    const answer = await fetch(`${url}/v1/analyses/${id}/events`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: event,
    });
    if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
    await answer.arrayBuffer();
  },
  "bare PUBLISH": (_url, id, event) => worker.publish(`analysis:${id}`, event),
  inbox: (_url, _id, event) => worker.xadd("telltale:inbox", "*", "event", event),
};

const results = new Map<string, { gateway: number; redis: number }[]>();
for (let round = 1; round <= ROUNDS; round++) {
  for (const contestant of contestants) await measure(contestant);
}
for (const way of Object.keys(ways)) {
  for (const { name } of contestants) {
    const all = results.get(`${way}, ${name}`) ?? [];
    const best = (of: "gateway" | "redis") => Math.min(...all.map((one) => one[of])).toFixed(1);
    console.log(
      `${way}, best of ${ROUNDS}: ${name}: gateway ${best("gateway")} µs, Redis ${best("redis")} µs`,
    );
  }
}
worker.disconnect();
await redis.stop();
process.exit(0);

async function measure(contestant: Contestant): Promise<void> {
  await worker.flushall();
  const gateway = await startContestant(contestant);
  for (const [way, publish] of Object.entries(ways)) {
    await publishAll(gateway.url, publish, 1_000);
    const before = { gateway: gateway.cpuSeconds(), redis: cpuSeconds(redisPid) };
    await publishAll(gateway.url, publish, EVENTS);
    const cost = {
      gateway: ((gateway.cpuSeconds() - before.gateway) / EVENTS) * 1e6,
      redis: ((cpuSeconds(redisPid) - before.redis) / EVENTS) * 1e6,
    };
    const key = `${way}, ${contestant.name}`;
    results.set(key, [...(results.get(key) ?? []), cost]);
  }
  await gateway.stop();
}

/** Resolves when every event is stored. */
async function publishAll(url: string, publish: Way, count: number): Promise<void> {
  const ids = Array.from({ length: ANALYSES }, () => crypto.randomUUID());
  let sent = 0;
  const publisher = async () => {
    for (let n = sent++; n < count; n = sent++) {
      const id = ids[n % ANALYSES] ?? "";
      await publish(url, id, eventOf(id, n / count, n));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, publisher));
  const deadline = performance.now() + 60_000;
  while ((await storedOf(url, ids)) < count) {
    if (performance.now() > deadline) throw new Error("not everything was stored within a minute");
    await Bun.sleep(50);
  }
}

/** The sum of the last offsets. */
async function storedOf(url: string, ids: readonly string[]): Promise<number> {
  let stored = 0;
  for (const id of ids) {
    const answer = await fetch(`${url}/v1/analyses/${id}`, { headers: { Authorization: `Bearer ${token}` } });
    const { last_event_id } = (await answer.json()) as { last_event_id: string };
    stored += last_event_id === "0" ? 0 : Number(last_event_id.split("-")[1]);
  }
  return stored;
}

function eventOf(id: string, progress: number, number: number): string {
  return JSON.stringify({
    event_type: "status_update",
    task_id: "task-1",
    analysis_id: id,
    progress,
    current_stage: "frame_extraction",
    message: `frame ${number}`,
    timestamp: new Date().toISOString(),
  });
}
