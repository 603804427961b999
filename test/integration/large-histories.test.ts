import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { keysOf } from "../../src/adapters/redis/redis-keys.ts";
import { RedisPubSub } from "../../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import type { ChannelName } from "../../src/domain/channel.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { statusUpdate } from "../support/publishing.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";

const MEBIBYTE = 1024 * 1024;
const EVENTS = 150;
const READERS = 12;

describe.skipIf(!needs("redis-server"))("a history of 150 events of a megabyte", () => {
  let redis: RunningRedis;
  let admin: Redis;
  let gateway: GatewayProcess;
  let headers: Record<string, string>;
  const id = crypto.randomUUID();

  const publish = async (to: string, message: string) => {
    const body = JSON.stringify(statusUpdate({ message }));
    const answer = await fetch(`${gateway.url}/v1/analyses/${to}/events`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    return answer.status;
  };
  const read = async (query: string) => {
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}/events?${query}`, { headers });
    return { status: answer.status, text: await answer.text() };
  };

  beforeAll(async () => {
    redis = await startRedis();
    admin = new Redis(redis.url);
    gateway = await startGateway({ REDIS_URL: redis.url });
    headers = { Authorization: `Bearer ${await tokenFor({ scopes: ["analysis:publish"], analyses: "*" })}` };
    for (let n = 0; n < EVENTS; n++) expect(await publish(id, "x".repeat(1_000_000))).toBe(202);
  }, 60_000);
  afterAll(async () => {
    await gateway?.stop();
    admin?.disconnect();
    await redis?.stop();
  });

  test("BUD-3: is read in answers of at most 4 MiB, to its end, without a gap", async () => {
    const offsets: number[] = [];
    for (let after = "0", more = true; more; ) {
      const { status: code, text } = await read(`limit=1000&after=${after}`);
      expect([code, Buffer.byteLength(text) <= 4 * MEBIBYTE]).toEqual([200, true]);
      const { events, last_event_id } = JSON.parse(text) as {
        events: { event_id: string }[];
        last_event_id: string;
      };
      offsets.push(...events.map(({ event_id }) => Number(event_id.split("-")[1])));
      after = last_event_id;
      more = events.length > 0;
    }
    expect(offsets).toEqual(Array.from({ length: EVENTS }, (_, index) => index + 1));
  }, 60_000);

  test("BUD-3: twelve who read it again and again cost no publisher an answer, and bounded memory", async () => {
    let reading = true;
    const readers = Array.from({ length: READERS }, async () => {
      let answers = 0;
      for (; reading; answers++) expect((await read("limit=1000")).status).toBe(200);
      return answers;
    });
    const other = crypto.randomUUID();
    const statuses: number[] = [];
    let most = 0;
    for (const end = performance.now() + 4_000; performance.now() < end; ) {
      statuses.push(await publish(other, "x"));
      most = Math.max(most, residentMebibytes(gateway.pid));
    }
    reading = false;
    const answers = await Promise.all(readers);
    expect(new Set(statuses)).toEqual(new Set([202]));
    expect(Math.min(...answers)).toBeGreaterThan(0);
    expect(most).toBeLessThan(512);
  }, 60_000);

  test("BUD-2: the broker reads little more than it answers, even if small events come before large ones", async () => {
    const node = new RedisPubSub({
      target: { host: redis.host, port: redis.port, db: 0 },
      history: { size: 1_000, ttlMs: 60_000 },
      clock: new SystemClock(),
      telemetry: new CollectingTelemetry(),
    });
    const channel = someAnalysis();
    await node.append({ channel, events: Array.from({ length: 20 }, () => status()) });
    for (let n = 0; n < 40; n++)
      await node.append({ channel, events: [status({ note: "x".repeat(1_000_000) })] });
    const { result: page, asked } = await entriesRead(channel, () => node.history(channel, undefined, 1_000));
    expect([page.events.length, page.more]).toEqual([21, true]);
    // One, and then steps of eight at most.
    expect(asked).toEqual([1, 8, 8, 8]);
    await node.close();
  });

  /** How many entries of the channel's history each XRANGE of `deed` may read. Others read on this server, too. */
  async function entriesRead<T>(
    channel: ChannelName,
    deed: () => Promise<T>,
  ): Promise<{ result: T; asked: number[] }> {
    const monitor = await admin.monitor();
    const end = crypto.randomUUID();
    const asked: number[] = [];
    const ended = new Promise<void>((resolve) => {
      monitor.on("monitor", (_, [command, key, , , , count]: string[]) => {
        if (command === "ECHO" || command === "echo") return void (key === end && resolve());
        if (command?.toUpperCase() === "XRANGE" && key === keysOf(channel).history) asked.push(Number(count));
      });
    });
    const result = await deed();
    await admin.echo(end);
    await ended;
    monitor.disconnect();
    return { result, asked };
  }
});

function residentMebibytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) / 1024;
}
