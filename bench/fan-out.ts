import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { signToken } from "../src/adapters/jwt/token-signer.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { type Contestant, gateways, startContestant } from "./gateway-under-test.ts";

/**
 * `npm run bench`: one event fanned out to 1,000 watchers. CPU of the server per delivery, of Telltale and of a bare
 * Bun forwarder in the same run on the same Redis, and their ratio. Only the ratio can be compared between machines.
 * `npm run bench -- --against FOLDER` adds the gateway of another checkout, to compare two states of it.
 */
const WATCHERS = 1_000;
const SECONDS = 5;
const RATES = [20, 200];
const ROUNDS = 3;
const WARM_UP = { rate: 200, seconds: 3 };
const SECRET = "a-secret-for-the-bench-of-32-bytes-or-more";

const redis = await startRedis();
const publisher = new Redis(redis.url);
const token = await signToken(
  SECRET,
  { user: "bench", analyses: "*", scopes: [], expiresInSeconds: 3600 },
  Date.now(),
);
const root = new URL("..", import.meta.url).pathname;
const bare = "bare forwarder";
const contestants: Contestant[] = [
  ...gateways({
    REDIS_URL: redis.url,
    JWT_SECRET_KEY: SECRET,
    MAX_CONNECTIONS_PER_USER: "100000",
    LOG_LEVEL: "warn",
  }),
  { name: bare, command: ["run", "bench/forwarder.ts", redis.url], root, env: {} },
];

const results = new Map<string, number[]>();
for (let round = 1; round <= ROUNDS; round++) {
  for (const contestant of contestants) {
    for (const [rate, micros] of await measure(contestant)) {
      const key = `${contestant.name} at ${rate}/s`;
      results.set(key, [...(results.get(key) ?? []), micros]);
      console.log(`round ${round}: ${key}: ${micros.toFixed(2)} µs of CPU per delivery`);
    }
  }
}
for (const rate of RATES) {
  const best = (name: string) => Math.min(...(results.get(`${name} at ${rate}/s`) ?? []));
  for (const { name } of contestants.filter((one) => one.name !== bare)) {
    const ratio = (best(name) / best(bare)).toFixed(2);
    console.log(
      `1 -> ${WATCHERS} at ${rate}/s, best of ${ROUNDS}: ${name} ${best(name).toFixed(2)} µs, bare ${best(bare).toFixed(2)} µs, ratio ${ratio}`,
    );
  }
}
publisher.disconnect();
await redis.stop();
process.exit(0);

/** CPU per delivery in microseconds, for each rate. */
async function measure(contestant: Contestant): Promise<[number, number][]> {
  const server = await startContestant(contestant);
  const id = crypto.randomUUID();
  const replies = replyQueue();
  const watchers = Bun.spawn(
    [
      process.execPath,
      "run",
      "bench/watchers.ts",
      `${server.url.replace("http", "ws")}/ws/analysis/${id}`,
      `${WATCHERS}`,
      token,
    ],
    {
      cwd: root,
      env: { PATH: process.env.PATH ?? "" },
      stderr: "inherit",
      ipc: (message) => replies.push(message as Reply),
    },
  );
  const asked = async () => {
    watchers.send("how many?");
    return (await replies.next()).received ?? 0;
  };
  await replies.next();
  const measured: [number, number][] = [];
  // The time that the runtime spends on compiling says nothing about a gateway that runs for weeks.
  await publishAt(WARM_UP.rate, WARM_UP.seconds, id);
  await allReceived(asked, WATCHERS * WARM_UP.rate * WARM_UP.seconds);
  for (const rate of RATES) {
    const before = { cpu: server.cpuSeconds(), received: await asked() };
    await publishAt(rate, SECONDS, id);
    const deliveries = WATCHERS * rate * SECONDS;
    await allReceived(asked, before.received + deliveries);
    measured.push([rate, ((server.cpuSeconds() - before.cpu) / deliveries) * 1e6]);
  }
  watchers.kill("SIGKILL");
  await Promise.all([watchers.exited, server.stop()]);
  return measured;
}

/** Rejects unless exactly so many arrive within five seconds: a fast gateway that loses events is no contestant. */
async function allReceived(asked: () => Promise<number>, wanted: number): Promise<void> {
  let received = await asked();
  for (let tries = 0; received < wanted && tries < 100; tries++) {
    await pause(50);
    received = await asked();
  }
  if (received !== wanted) throw new Error(`${received} deliveries instead of ${wanted}`);
}

async function publishAt(rate: number, seconds: number, id: string): Promise<void> {
  const began = performance.now();
  for (let sent = 0; sent < rate * seconds; sent++) {
    const event = {
      event_type: "status_update",
      task_id: "task-1",
      analysis_id: id,
      progress: sent / (rate * seconds),
      current_stage: "frame_extraction",
      message: `frame ${sent} of ${rate * seconds}`,
      timestamp: new Date().toISOString(),
    };
    await publisher.publish(`analysis:${id}`, JSON.stringify(event));
    await pause(Math.max(0, began + ((sent + 1) * 1000) / rate - performance.now()));
  }
}

interface Reply {
  readonly open?: number;
  readonly received?: number;
}

function replyQueue() {
  const waiting: ((reply: Reply) => void)[] = [];
  const arrived: Reply[] = [];
  return {
    push(reply: Reply) {
      const resolve = waiting.shift();
      if (resolve === undefined) arrived.push(reply);
      else resolve(reply);
    },
    next: () => {
      const reply = arrived.shift();
      return reply === undefined
        ? new Promise<Reply>((resolve) => waiting.push(resolve))
        : Promise.resolve(reply);
    },
  };
}
