import { parseArgs } from "node:util";
import { signToken } from "../src/adapters/jwt/token-signer.ts";
import { startNats } from "../test/support/nats-server.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { gateways, startContestant } from "./gateway-under-test.ts";

/**
 * `bun run bench/silent-watched.ts [--nats] [--against FOLDER]`: the share of a core that a gateway takes for 10,000 watched
 * analyses that run in silence, and how long after STALL_AFTER_SECONDS the last of their watchers is told. Linux only.
 */
const ANALYSES = 10_000;
const PER_SOCKET = 1_000;
const SECONDS = 10;
const STALL_AFTER_SECONDS = 25;
const SECRET = "kR8mQ2vX5tZ9wB3nL6pD1sF4hJ7gC0yA";

const options = { nats: { type: "boolean" }, against: { type: "string" } } as const;
const { values } = parseArgs({ options });
const server = values.nats ? await startNats() : await startRedis();
const rights = {
  user: "bench",
  analyses: "*",
  scopes: ["analysis:publish"],
  expiresInSeconds: 3600,
} as const;
const token = await signToken(SECRET, rights, Date.now());
const env = {
  [values.nats ? "NATS_URL" : "REDIS_URL"]: server.url,
  ...{ JWT_SECRET_KEY: SECRET, LOG_LEVEL: "error", STALL_AFTER_SECONDS: `${STALL_AFTER_SECONDS}` },
  MAX_SUBSCRIPTIONS_PER_USER: "0",
};
for (const contestant of gateways(env)) {
  const gateway = await startContestant(contestant);
  const ids = Array.from({ length: ANALYSES }, () => crypto.randomUUID());
  const told = { subscribed: 0, stalled: 0 };
  for (let first = 0; first < ANALYSES; first += PER_SOCKET)
    watch(gateway.url, ids.slice(first, first + PER_SOCKET), told);
  await until(() => told.subscribed === ANALYSES);
  await inTurns(ids, (id) => publish(gateway.url, id));
  const published = performance.now();
  const share = await cpuShare(gateway.cpuSeconds, SECONDS);
  console.log(`${contestant.name}: ${ANALYSES} silent analyses take ${(100 * share).toFixed(1)} % of a core`);
  await until(() => told.stalled === ANALYSES);
  const after = (performance.now() - published) / 1_000 - STALL_AFTER_SECONDS;
  console.log(
    `${contestant.name}: the last watcher was told ${after.toFixed(1)} s after the last analysis had stalled`,
  );
  const stalled = await cpuShare(gateway.cpuSeconds, SECONDS / 2);
  console.log(`${contestant.name}: stalled, they take ${(100 * stalled).toFixed(1)} % of a core`);
  await gateway.stop();
}
await server.stop();
process.exit(0);

function watch(url: string, ids: readonly string[], told: { subscribed: number; stalled: number }): void {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws?token=${token}`);
  socket.onopen = () => {
    for (const id of ids) socket.send(JSON.stringify({ type: "subscribe", analysis_id: id }));
  };
  socket.onmessage = ({ data }) => {
    const { event_type, status } = JSON.parse(String(data));
    if (event_type === "subscribed") told.subscribed++;
    if (event_type === "state_changed" && status === "stalled") told.stalled++;
  };
}

async function publish(url: string, id: string): Promise<void> {
  const event = {
    event_type: "status_update",
    task_id: "t",
    progress: 0.1,
    current_stage: "uploading",
    message: "works",
  };
  const answer = await fetch(`${url}/v1/analyses/${id}/events`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
    body: JSON.stringify({ ...event, timestamp: new Date().toISOString() }),
  });
  if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
  await answer.body?.cancel();
}

/** Eight at a time. */
async function inTurns(ids: readonly string[], work: (id: string) => Promise<void>): Promise<void> {
  const left = [...ids];
  const one = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) await work(id);
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

async function cpuShare(cpuSeconds: () => number, seconds: number): Promise<number> {
  const [before, began] = [cpuSeconds(), performance.now()];
  await Bun.sleep(seconds * 1_000);
  return (cpuSeconds() - before) / ((performance.now() - began) / 1_000);
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await Bun.sleep(20);
}
