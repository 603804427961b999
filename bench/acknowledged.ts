import { Redis } from "ioredis";
import { RedisPubSub } from "../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../src/adapters/system/system-clock.ts";
import { CollectingTelemetry } from "../src/testing/collecting-telemetry.ts";
import { status } from "../src/testing/encoded-events.ts";
import { eventually } from "../src/testing/eventually.ts";
import { someAnalysis } from "../src/testing/some-analysis.ts";
import { type RunningRedis, startRedis } from "../test/support/redis-server.ts";

/**
 * `bun run bench/acknowledged.ts`: what it costs until an event is acknowledged, by what the acknowledgement is worth.
 * Disk and network are those of this machine alone.
 */
const SECONDS = 3;

async function measure(name: string, args: readonly string[], replicas: number): Promise<void> {
  const primary = await startRedis({ args: [...args, "--repl-diskless-sync-delay", "0"] });
  const others: RunningRedis[] = [];
  for (let n = 0; n < replicas; n++) others.push(await replicaOf(primary));
  const node = new RedisPubSub({
    target: { host: primary.host, port: primary.port, db: 0 },
    history: { size: 1_000, ttlMs: 86_400_000 },
    waitReplicas: replicas,
    clock: new SystemClock(),
    telemetry: new CollectingTelemetry(),
  });
  for (const atOnce of [1, 64]) {
    const channels = Array.from({ length: atOnce }, someAnalysis);
    const times: number[] = [];
    const end = performance.now() + SECONDS * 1_000;
    await Promise.all(
      channels.map(async (channel) => {
        for (let now = performance.now(); now < end; now = performance.now()) {
          await node.append({ channel, events: [status({ note: "x".repeat(200) })] });
          times.push(performance.now() - now);
        }
      }),
    );
    times.sort((a, b) => a - b);
    const at = (share: number) => `${times[Math.floor(times.length * share)]?.toFixed(2)} ms`;
    console.log(
      `${name}, ${atOnce} at once: ${Math.round(times.length / SECONDS)} events/s, median ${at(0.5)}, 99 % ${at(0.99)}`,
    );
  }
  await node.close();
  for (const redis of [...others, primary]) await redis.stop();
}

async function replicaOf(primary: RunningRedis): Promise<RunningRedis> {
  const replica = await startRedis();
  const connection = new Redis(replica.url);
  await connection.replicaof(primary.host, primary.port);
  await eventually("it is in step", async () =>
    (await connection.info("replication")).includes("master_link_status:up"),
  );
  connection.disconnect();
  return replica;
}

const AOF = ["--appendonly", "yes", "--appendfsync"];
await measure("no append-only file", [], 0);
await measure("appendfsync everysec", [...AOF, "everysec"], 0);
await measure("appendfsync always", [...AOF, "always"], 0);
await measure("no append-only file, 1 replica waited for", [], 1);
await measure("appendfsync everysec, 1 replica waited for", [...AOF, "everysec"], 1);
await measure("appendfsync always, 1 replica waited for", [...AOF, "always"], 1);
