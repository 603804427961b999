import { Redis } from "ioredis";
import { RedisPubSub } from "../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../src/adapters/system/system-clock.ts";
import type { AppendRequest } from "../src/application/ports/pub-sub-port.ts";
import { decodeEvent } from "../src/domain/decode-event.ts";
import { CollectingTelemetry } from "../src/testing/collecting-telemetry.ts";
import { occurrenceKey } from "../src/testing/occurrence-key.ts";
import { someAnalysis } from "../src/testing/some-analysis.ts";
import { BareMessages } from "../test/support/bare-messages.ts";
import { statusUpdate } from "../test/support/publishing.ts";
import { startRedis } from "../test/support/redis-server.ts";

/**
 * `bun run bench/seen-cost.ts`: what a bare PUBLISH costs Redis. The first gateway that appends it pays a stored event,
 * every other one that listens a duplicate. Appends go as ingest sends them, 256 at a time over one connection.
 */
const EVENTS = 50_000;
const BATCH = 256;

const redis = await startRedis();
const admin = new Redis(redis.url);

async function redisSeconds(): Promise<number> {
  const info = await admin.info("cpu");
  const of = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  return of("used_cpu_user_main_thread") + of("used_cpu_sys_main_thread");
}

/** The time of the script alone, without the reading of commands and the writing of answers. */
async function scriptSeconds(): Promise<number> {
  const statistics = await admin.info("commandstats");
  return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(statistics)?.[1] ?? 0) / 1e6;
}

interface Cost {
  readonly all: number;
  readonly script: number;
}

function gateway(): RedisPubSub {
  return new RedisPubSub({
    target: { host: redis.host, port: redis.port, db: 0 },
    history: { size: 1_000, ttlMs: 86_400_000 },
    clock: new SystemClock(),
    telemetry: new CollectingTelemetry(),
  });
}

function offers(analyses: number): AppendRequest[] {
  const channels = Array.from({ length: analyses }, someAnalysis);
  const heard = new BareMessages();
  return Array.from({ length: EVENTS }, (_, n) => {
    const channel = channels[n % analyses] ?? someAnalysis();
    const name = JSON.stringify(statusUpdate({ message: `Analysing frame ${n}` }));
    const decoded = decodeEvent(name, { channel, now: Date.now() });
    if (!decoded.ok) throw new Error(decoded.reason);
    const message = heard.next(channel, name);
    const deduplicate = occurrenceKey(message.occurrence.content, message.occurrence);
    return { channel, events: [decoded.encoded], deduplicate };
  });
}

/** Microseconds of Redis' processor for each event. */
async function cost(requests: readonly AppendRequest[], expected: "stored" | "duplicate"): Promise<Cost> {
  const node = gateway();
  await node.append({ channel: someAnalysis(), events: requests[0]?.events ?? [] });
  const [cpu, script] = [await redisSeconds(), await scriptSeconds()];
  for (let from = 0; from < requests.length; from += BATCH) {
    const outcomes = await Promise.all(
      requests.slice(from, from + BATCH).map((request) => node.append(request)),
    );
    if (outcomes.some(({ type }) => type !== expected)) throw new Error(`an offer was not ${expected}`);
  }
  const each = (seconds: number) => (seconds / requests.length) * 1e6;
  const spent = { all: each((await redisSeconds()) - cpu), script: each((await scriptSeconds()) - script) };
  await node.close();
  return spent;
}

function text({ all, script }: Cost): string {
  return `${all.toFixed(1)} µs of Redis CPU an event (${script.toFixed(1)} in the script)`;
}

for (const analyses of [1, 20, 1_000]) {
  await admin.flushall();
  const requests = offers(analyses);
  const append = await cost(requests, "stored");
  const seen = await cost(requests, "duplicate");
  const listeners = [1, 2, 3, 10].map(
    (count) => `${count}: ${(append.all + (count - 1) * seen.all).toFixed(0)}`,
  );
  console.log(
    `${analyses} analyses: an append ${text(append)}, a "seen" ${text(seen)}; by gateways that listen ${listeners.join(", ")} µs`,
  );
}

admin.disconnect();
await redis.stop();
