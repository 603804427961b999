import { parseArgs } from "node:util";
import { SystemClock } from "../src/adapters/system/system-clock.ts";
import { closeBroker } from "../src/application/ports/broker-ports.ts";
import type { PubSubPort } from "../src/application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../src/domain/analysis-event.ts";
import type { AnalysisChannel } from "../src/domain/channel.ts";
import { decodeEvent } from "../src/domain/decode-event.ts";
import { CollectingTelemetry } from "../src/testing/collecting-telemetry.ts";
import { someAnalysis } from "../src/testing/some-analysis.ts";
import { type BrokerUnderBench, brokersUnderBench } from "./broker-under-bench.ts";

/**
 * `npx bun run bench/brokers.ts`: the cost of each broker at the same load, all in one run, each on a server of its own
 * with its default durability; `--only TEXT` of the name of one. Compare the rows: the figures depend on the machine.
 */
const ALONE = 1_000;
const CHANNELS = 200;
const AT_ONCE = 64;
const EACH_AT_ONCE = 8_000;
const BATCHES = 100;
const BATCH = 100;
const BATCHES_AT_ONCE = 16;
const DELIVERED = 2_000;
const DELIVERY_EVERY_MS = 2;

console.log(
  [
    "| broker | one append after another | appends at once, over 200 analyses | in batches of 100 | CPU of the server an event | bytes kept an event | delivery, median and 99th of 100 |",
    "|---|---|---|---|---|---|---|",
  ].join("\n"),
);
const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
for (const open of brokersUnderBench) {
  const broker = await open();
  if (!broker.name.includes(values.only)) {
    await broker.stop();
    continue;
  }
  try {
    console.log(await rowOf(broker));
  } finally {
    await broker.stop();
  }
}
process.exit(0);

async function rowOf(broker: BrokerUnderBench): Promise<string> {
  const options = { clock: new SystemClock(), telemetry: new CollectingTelemetry() };
  const history = { size: 1_000, ttlMs: 86_400_000 };
  const [one, other] = [
    await broker.node({ ...options, history }),
    await broker.node({ ...options, history }),
  ];
  const { events } = one;
  await untilUp(events);
  await alone(events, 200);
  const aloneUs = await alone(events, ALONE);
  const cpuBefore = broker.cpuSeconds?.() ?? 0;
  const atOnceUs = await atOnce(events);
  const cpuAfter = broker.cpuSeconds?.();
  const cpuUs = cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) / EACH_AT_ONCE) * 1e6;
  const batchUs = await inBatches(events);
  const bytes = await keptBytes(broker, events);
  const { median, late } = await delivery(events, other.events);
  await Promise.all([closeBroker(one), closeBroker(other)]);
  return `| ${[
    broker.name,
    `${Math.round(aloneUs)} µs`,
    `${Math.round(1e6 / atOnceUs)}/s`,
    `${Math.round(1e6 / batchUs)}/s`,
    cpuUs === undefined ? "–" : `${Math.round(cpuUs)} µs`,
    bytes === undefined ? "–" : `${Math.round(bytes)}`,
    `${median.toFixed(2)} and ${late.toFixed(2)} ms`,
  ].join(" | ")} |`;
}

async function untilUp(events: PubSubPort): Promise<void> {
  while (events.health().status !== "up") await Bun.sleep(20);
}

/** Microseconds for each append of one event, each after the answer to the one before. */
async function alone(events: PubSubPort, count: number): Promise<number> {
  const channel = someAnalysis();
  const began = performance.now();
  for (let n = 0; n < count; n++) await events.append({ channel, events: [eventOf(channel, n, count)] });
  return ((performance.now() - began) / count) * 1_000;
}

/** Microseconds of the whole for each event, with `AT_ONCE` publishers that wait for their answers. */
async function atOnce(events: PubSubPort): Promise<number> {
  const channels = Array.from({ length: CHANNELS }, someAnalysis);
  let sent = 0;
  const publisher = async () => {
    for (let n = sent++; n < EACH_AT_ONCE; n = sent++) {
      const channel = channels[n % CHANNELS] as AnalysisChannel;
      await events.append({ channel, events: [eventOf(channel, n, EACH_AT_ONCE)] });
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, publisher));
  return ((performance.now() - began) / EACH_AT_ONCE) * 1_000;
}

async function inBatches(events: PubSubPort): Promise<number> {
  const channels = Array.from({ length: BATCHES }, someAnalysis);
  const waiting = [...channels];
  const publisher = async () => {
    for (let channel = waiting.pop(); channel !== undefined; channel = waiting.pop())
      await events.append({ channel, events: batchOf(channel) });
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, publisher));
  return ((performance.now() - began) / (BATCHES * BATCH)) * 1_000;
}

/** The bytes that 20 analyses of 900 events take, each appended by itself, by event. */
async function keptBytes(broker: BrokerUnderBench, events: PubSubPort): Promise<number | undefined> {
  const before = await broker.keptBytes?.();
  if (before === undefined) return undefined;
  const [analyses, each] = [20, 900];
  await Promise.all(Array.from({ length: analyses }, () => alone(events, each)));
  return (((await broker.keptBytes?.()) ?? 0) - before) / (analyses * each);
}

/** Milliseconds from the call of an append on one node to the subscriber of another one. */
async function delivery(publishing: PubSubPort, listening: PubSubPort) {
  const channel = someAnalysis();
  const appendedAt: number[] = [];
  const took: number[] = [];
  await untilUp(listening);
  const subscription = await listening.subscribe(channel, {
    event: ({ position }) => took.push(performance.now() - (appendedAt[position.offset - 1] ?? 0)),
    viewersChanged: () => {},
    cancelRequested: () => {},
    linkRestored: () => {},
  });
  const appends: Promise<unknown>[] = [];
  for (let n = 0; n < DELIVERED; n++) {
    appendedAt.push(performance.now());
    appends.push(publishing.append({ channel, events: [eventOf(channel, n, DELIVERED)] }));
    await Bun.sleep(DELIVERY_EVERY_MS);
  }
  await Promise.all(appends);
  while (took.length < DELIVERED) await Bun.sleep(10);
  await subscription.unsubscribe();
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.floor(share * took.length)] ?? 0;
  return { median: at(0.5), late: at(0.99) };
}

function batchOf(channel: AnalysisChannel): EncodedEvent[] {
  return Array.from({ length: BATCH }, (_, n) => eventOf(channel, n, BATCH));
}

/** As a worker writes it, about 300 bytes. */
function eventOf(channel: AnalysisChannel, n: number, of: number): EncodedEvent {
  const text = JSON.stringify({
    event_type: "status_update",
    task_id: "0b5b3f4e-6d0e-4f0e-9d52-7f2f3f1f9a77",
    analysis_id: channel.slice("analysis:".length),
    progress: n / of,
    current_stage: "frame_extraction",
    message: `Analysing frame ${n} of ${of}`,
    timestamp: "2026-11-24T03:27:22.785846Z",
  });
  const decoded = decodeEvent(text, { channel, now: Date.now() });
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.encoded;
}
