import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildProcess, startChild } from "./run/child-process.ts";
import { freePort } from "./run/free-port.ts";
import { findPython, workerEnvironment } from "./run/python.ts";
import { celeryQueue } from "./web/queue.ts";
import { startWebApp } from "./web/server.ts";

/**
 * The whole of it with one command: Redis (or the one that REDIS_URL names), the Celery worker, the gateway and the
 * web application. Prints the page's address; Ctrl-C ends all that it started.
 *
 * PORT (a free one), REDIS_URL, NATS_URL (events go to that NATS; the queue stays in Redis), GATEWAY_URL (of one that runs
 * already, on the same Redis or NATS), JWT_SECRET_KEY (made up), GATEWAY_COMMAND (`bun run src/main.ts`), PYTHON,
 * UPLOAD_MAX_MB [200]; and those of the worker, as worker/limits.py has them.
 */
const here = import.meta.dirname;
const root = join(here, "../..");
/** Ended in the reverse order of their start. */
const cleanup: (() => Promise<unknown>)[] = [];
const ending = Promise.withResolvers<string>();
process.on("SIGINT", () => ending.resolve("Ending."));
process.on("SIGTERM", () => ending.resolve("Ending."));

let exitCode = 0;
try {
  const url = await startAll();
  console.log(`The page is at ${url}`);
  console.log(await ending.promise);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  exitCode = 1;
}
for (const end of cleanup.reverse()) await end();
process.exit(exitCode);

async function startAll(): Promise<string> {
  const python = findPython(here);
  const folder = await mkdtemp(join(tmpdir(), "video-worker-"));
  cleanup.push(() => rm(folder, { recursive: true, force: true }));
  const redisUrl = process.env.REDIS_URL || (await startRedis(folder));
  const port = Number(process.env.PORT) || freePort();
  const jwtSecret = process.env.JWT_SECRET_KEY || crypto.getRandomValues(new Uint8Array(32)).toHex();
  const [gatewayUrl] = await Promise.all([
    process.env.GATEWAY_URL || startGateway(redisUrl, jwtSecret, port),
    startWorker(python, redisUrl, folder),
  ]);
  const app = startWebApp({
    port,
    folder,
    jwtSecret,
    gatewayUrl,
    mostBytes: Number(process.env.UPLOAD_MAX_MB || 200) * 1_000_000,
    enqueue: celeryQueue({ python, folder: here, redisUrl, env: workerEnvironment(root) }),
  });
  cleanup.push(app.stop);
  return app.url;
}

async function startRedis(folder: string): Promise<string> {
  const program = Bun.which("redis-server", { PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin` });
  if (program === null)
    throw new Error("redis-server is not installed; install it, or name a Redis in REDIS_URL");
  const port = freePort();
  const listen = ["--bind", "127.0.0.1", "--port", String(port)];
  const keepNothing = ["--save", "", "--appendonly", "no", "--dir", folder];
  await start({
    name: "redis",
    command: [program, ...listen, ...keepNothing],
    ready: /Ready to accept connections/,
    quiet: true,
  });
  return `redis://127.0.0.1:${port}/0`;
}

async function startGateway(redisUrl: string, jwtSecret: string, pagePort: number): Promise<string> {
  const gateway = await start({
    name: "gateway",
    command: process.env.GATEWAY_COMMAND?.split(" ") ?? [process.execPath, "run", "src/main.ts"],
    cwd: root,
    env: {
      HOST: "127.0.0.1",
      PORT: "0",
      ...brokerOf(redisUrl),
      JWT_SECRET_KEY: jwtSecret,
      ALLOWED_ORIGINS: `http://127.0.0.1:${pagePort},http://localhost:${pagePort}`,
      // Nobody watches an analysis whose viewers nobody declared.
      WATCH_DEFAULT: "deny",
      DRAIN_SECONDS: "1",
      LOG_LEVEL: "warn",
    },
    ready: /answers at (http:\S+)/,
  });
  const url = gateway.match[1] as string;
  await untilReady(url);
  return url;
}

function brokerOf(redisUrl: string): Record<string, string> {
  const natsUrl = process.env.NATS_URL;
  return natsUrl ? { BROKER: "nats", NATS_URL: natsUrl } : { BROKER: "redis", REDIS_URL: redisUrl };
}

/** It answers before it has reached Redis; until then it would turn the first visitor away for a moment. */
async function untilReady(gatewayUrl: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const response = await fetch(`${gatewayUrl}/ready`);
    if (response.ok) return;
    if (Date.now() > deadline) throw new Error(`the gateway is not ready: ${await response.text()}`);
    await Bun.sleep(100);
  }
}

function startWorker(python: string, redisUrl: string, folder: string): Promise<ChildProcess> {
  const celery = [python, "-m", "celery", "--quiet", "--app", "worker.tasks", "worker"];
  return start({
    name: "worker",
    command: [
      ...celery,
      "--concurrency",
      "2",
      "--loglevel",
      "warning",
      "--without-mingle",
      "--without-gossip",
    ],
    cwd: here,
    // Its temporary files go where all of this goes at the end.
    env: { ...workerEnvironment(root), REDIS_URL: redisUrl, TMPDIR: folder, PYTHONUNBUFFERED: "1" },
    ready: /The worker is ready/,
  });
}

async function start(settings: Parameters<typeof startChild>[0]): Promise<ChildProcess> {
  const child = await startChild(settings);
  let stopping = false;
  cleanup.push(() => {
    stopping = true;
    return child.stop();
  });
  // One that dies takes the others with it, aloud, instead of leaving a page on which nothing moves.
  void child.exited.then((code) => {
    if (!stopping) ending.resolve(`${child.name} ended by itself with ${code}: ending.`);
  });
  return child;
}
