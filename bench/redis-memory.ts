import { Redis } from "ioredis";
import { RedisPubSub } from "../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../src/adapters/system/system-clock.ts";
import type { EncodedEvent } from "../src/domain/analysis-event.ts";
import type { AnalysisChannel } from "../src/domain/channel.ts";
import { decodeEvent } from "../src/domain/decode-event.ts";
import { STAGES } from "../src/domain/stages.ts";
import { CollectingTelemetry } from "../src/testing/collecting-telemetry.ts";
import { someAnalysis } from "../src/testing/some-analysis.ts";
import { startRedis } from "../test/support/redis-server.ts";

/**
 * `bun run bench/redis-memory.ts`: what an analysis takes of Redis' memory, and how fast events are stored. The
 * memory depends on the events alone; the speed on the machine.
 */
const redis = await startRedis();
const admin = new Redis(redis.url);

function nodeKeeping(size: number): RedisPubSub {
  return new RedisPubSub({
    target: { host: redis.host, port: redis.port, db: 0 },
    history: { size, ttlMs: 86_400_000 },
    clock: new SystemClock(),
    telemetry: new CollectingTelemetry(),
  });
}

/** As a worker writes it, about 400 bytes. */
function statusEvent(channel: AnalysisChannel, n: number, of: number): EncodedEvent {
  const text = JSON.stringify({
    event_type: "status_update",
    task_id: "0b5b3f4e-6d0e-4f0e-9d52-7f2f3f1f9a77",
    analysis_id: channel.slice("analysis:".length),
    progress: n / of,
    current_stage: STAGES[Math.floor((n / (of + 1)) * 7)],
    message: `Analysing frame ${n} of ${of}`,
    estimated_completion: "2026-11-24T03:41:09.120345Z",
    error: null,
    timestamp: "2026-11-24 03:27:22.785846+00:00",
  });
  const decoded = decodeEvent(text, { channel, now: Date.now() });
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.encoded;
}

async function memory(events: number, size: number): Promise<void> {
  await admin.flushall();
  const node = nodeKeeping(size);
  const analyses = 50;
  const channels = Array.from({ length: analyses }, someAnalysis);
  await node.snapshot(channels[0]!);
  const before = await usedMemory();
  for (const channel of channels) {
    const all = Array.from({ length: events }, (_, n) => statusEvent(channel, n + 1, events));
    for (let from = 0; from < events; from += 100) {
      await node.append({ channel, events: all.slice(from, from + 100) });
    }
  }
  const each = ((await usedMemory()) - before) / analyses;
  const [channel] = channels as [AnalysisChannel];
  const history = `telltale:{${channel}}:history`;
  const kept = await admin.xlen(history);
  const [record, stream] = [await usage(`telltale:{${channel}}`), await usage(history)];
  const text = (await node.history(channel, undefined, 1)).events[0]?.text.length;
  console.log(
    `HISTORY_SIZE=${size}, ${events} events of ${text} bytes, ${kept} kept: ${kib(each)} of used_memory an ` +
      `analysis (record ${kib(record)}, history ${kib(stream)}, ${Math.round(stream / kept)} bytes an event)`,
  );
  await node.close();
}

async function speed(
  name: string,
  batch: number,
  atOnce: number,
  keyed: boolean,
  analyses = 100,
): Promise<void> {
  await admin.flushall();
  const node = nodeKeeping(1_000);
  const channels = Array.from({ length: analyses }, someAnalysis);
  const event = statusEvent(channels[0]!, 500, 1_000);
  const calls = Math.ceil(40_000 / batch);
  await node.snapshot(channels[0]!);
  const before = await redisSeconds();
  const started = performance.now();
  let next = 0;
  const publisher = async () => {
    while (next < calls) {
      const n = next++;
      const deduplicate = {
        by: "key",
        name: `${n}`,
        scope: "channel",
        windowMs: 300_000,
        rememberMs: 300_000,
      } as const;
      const channel = channels[n % channels.length]!;
      const events = Array.from({ length: batch }, () => event);
      await node.append({ channel, events, ...(keyed ? { deduplicate } : {}) });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, publisher));
  const seconds = (performance.now() - started) / 1_000;
  const cpu = (((await redisSeconds()) - before) / calls) * 1e6;
  console.log(
    `${name}: ${Math.round((calls * batch) / seconds)} events/s, ${((seconds / calls) * atOnce * 1e3).toFixed(2)} ms a ` +
      `call, ${cpu.toFixed(1)} µs of Redis CPU a call`,
  );
  await node.close();
}

async function usedMemory(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await admin.info("memory"))?.[1]);
}

async function redisSeconds(): Promise<number> {
  const info = await admin.info("cpu");
  const of = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  return of("used_cpu_user_main_thread") + of("used_cpu_sys_main_thread");
}

async function usage(key: string): Promise<number> {
  return (await admin.memory("USAGE", key, "SAMPLES", 0)) ?? 0;
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

await memory(1_000, 1_000);
await memory(1_200, 1_000);
await memory(50, 1_000);
await memory(1_000, 50);
await speed("one at a time", 1, 1, false);
await speed("64 at once", 1, 64, false);
await speed("64 at once, with a key", 1, 64, true);
await speed("64 at once, to one analysis", 1, 64, false, 1);
await speed("64 at once, to one analysis, with a key", 1, 64, true, 1);
await speed("batches of 500", 500, 1, false);
admin.disconnect();
await redis.stop();
