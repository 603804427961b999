import { readFileSync } from "node:fs";
import process from "node:process";
import { Redis } from "ioredis";
import { signToken } from "../src/adapters/jwt/token-signer.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { gateways, startContestant } from "./gateway-under-test.ts";

/**
 * `npx bun run bench/large-histories.ts`: twelve readers, each of a history of 150 MB, again and again from its beginning
 * with `limit=1000`, while somebody else publishes. Shows how long that publisher's answers take, and the memory of the
 * gateway. `-- --against FOLDER` adds the gateway of another checkout; only ratios can be compared.
 */
const READERS = 12;
const EVENTS = 150;
const EVENT_CHARACTERS = 1_000_000;
const SECONDS = 15;
const PAUSE_MS = 20;
const SECRET = "kR8mQ2vX5tZ9wB3nL6pD1sF4hJ7gC0yA";

const request = {
  user: "bench",
  analyses: "*",
  scopes: ["analysis:publish"],
  expiresInSeconds: 3600,
} as const;
const headers = { Authorization: `Bearer ${await signToken(SECRET, request, Date.now())}` };

if (process.argv[2] === "read") await readForever(process.argv[3] ?? "", (process.argv[4] ?? "").split(","));
else await main();

async function main(): Promise<void> {
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  for (const contestant of gateways({ REDIS_URL: redis.url, JWT_SECRET_KEY: SECRET, LOG_LEVEL: "error" })) {
    await admin.flushall();
    const gateway = await startContestant(contestant);
    const ids = Array.from({ length: READERS }, () => crypto.randomUUID());
    for (const id of ids)
      for (let n = 0; n < EVENTS; n++) await publish(gateway.url, id, "x".repeat(EVENT_CHARACTERS));
    const quiet = await publishFor(gateway.url, 3);
    // A process of its own, so that what it costs to read so much is not the publisher's.
    const readers = Bun.spawn(
      [process.execPath, "run", import.meta.path, "read", gateway.url, ids.join(",")],
      {
        stdout: "pipe",
      },
    );
    await Bun.sleep(1_000);
    const busy = await publishFor(gateway.url, SECONDS);
    const resident = peakMemory(gateway.pid);
    readers.kill();
    const read = (await new Response(readers.stdout).text()).trim().split("\n").at(-1);
    console.log(`${contestant.name}, alone: ${quiet}`);
    console.log(
      `${contestant.name}, beside ${READERS} readers: ${busy}; peak RSS ${resident} MiB; read: ${read}`,
    );
    await gateway.stop();
  }
  admin.disconnect();
  await redis.stop();
  process.exit(0);
}

async function publishFor(url: string, seconds: number): Promise<string> {
  const id = crypto.randomUUID();
  const took: number[] = [];
  const statuses = new Map<number, number>();
  for (const end = performance.now() + seconds * 1_000; performance.now() < end; ) {
    const begun = performance.now();
    const status = await publish(url, id, "x");
    took.push(performance.now() - begun);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    await Bun.sleep(PAUSE_MS);
  }
  took.sort((one, other) => one - other);
  const at = (share: number) => (took[Math.floor(took.length * share)] ?? 0).toFixed(1);
  const answers = [...statuses].map(([status, count]) => `${count} × ${status}`).join(", ");
  return `${answers}; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(0.9999)} ms`;
}

async function publish(url: string, id: string, message: string): Promise<number> {
  const event = {
    event_type: "status_update",
    task_id: "t",
    progress: 0.5,
    current_stage: "model_inference",
    message,
  };
  const answer = await fetch(`${url}/v1/analyses/${id}/events`, {
    method: "POST",
    headers,
    body: JSON.stringify(event),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function readForever(url: string, ids: readonly string[]): Promise<void> {
  let answers = 0;
  let bytes = 0;
  setInterval(() => console.log(`${answers} answers, ${Math.round(bytes / 1024 / 1024)} MiB`), 500);
  await Promise.all(
    ids.map(async (id) => {
      for (;;) {
        const answer = await fetch(`${url}/v1/analyses/${id}/events?limit=1000`, { headers });
        bytes += (await answer.arrayBuffer()).byteLength;
        if (answer.ok) answers++;
        else await Bun.sleep(100);
      }
    }),
  );
}

/** The most memory that a process ever had, in MiB (Linux). */
function peakMemory(pid: number): number {
  const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}
