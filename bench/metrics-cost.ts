import { SystemClock } from "../src/adapters/system/system-clock.ts";
import { PrometheusExposition } from "../src/adapters/telemetry/prometheus-exposition.ts";
import { QuietTelemetry } from "../src/adapters/telemetry/quiet-telemetry.ts";
import { Broadcaster } from "../src/application/fan-out/broadcaster.ts";
import { ConnectionWriter } from "../src/application/fan-out/connection-writer.ts";
import { Delivery } from "../src/application/fan-out/delivery.ts";
import { DeliveryMeter } from "../src/application/fan-out/delivery-meter.ts";
import { startLive } from "../src/application/fan-out/replay.ts";
import type { ClientConnectionPort } from "../src/application/ports/client-connection-port.ts";
import type { PublishedEvent } from "../src/application/ports/pub-sub-port.ts";

/**
 * `npx bun run bench/metrics-cost.ts`: what the metrics cost of a core at 20,000 deliveries a second, with a scrape every 15 s.
 * The way from the ring to the sockets runs with the meter and with one that does nothing, in turns in one process, over
 * sockets that cost nothing. The difference is the meter's.
 */
const WATCHERS = 1_000;
const EVENTS = 1_000;
const ROUNDS = 15;
const PER_SECOND = 20_000;
const SCRAPE_EVERY_SECONDS = 15;
const MOST_PERCENT = 1;

class NoMeter extends DeliveryMeter {
  override written(): void {}
  override delivered(): void {}
  override conflated(): void {}
  override report(): void {}
}

class FreeSocket implements ClientConnectionPort {
  readonly id: string;
  readonly unsent = 0;

  constructor(index: number) {
    this.id = `${index}`;
  }

  send(): "sent" {
    return "sent";
  }

  batch(write: () => void): "sent" {
    write();
    return "sent";
  }

  tookSome(): boolean {
    return true;
  }

  ping(): void {}
  close(): void {}
}

const NOBODY = {
  tooSlow() {},
  caughtUp() {},
  startsAfresh() {},
  finished() {},
  viewersChanged() {},
  failed(error: unknown) {
    throw error;
  },
};

const clock = new SystemClock();
const telemetry = new QuietTelemetry();
const exposition = new PrometheusExposition(telemetry, () => {});
const micros = { on: [] as number[], off: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  for (const turn of round % 2 === 0 ? (["on", "off"] as const) : (["off", "on"] as const)) {
    const meter = turn === "on" ? new DeliveryMeter() : new NoMeter();
    const taken = await deliver(meter);
    // The first rounds pay for compiling.
    if (round >= 5) micros[turn].push(taken);
  }
}
const on = Math.min(...micros.on);
const off = Math.min(...micros.off);
const scrapeMs = await scrapes();
const ofDeliveries = ((on - off) * PER_SECOND) / 10_000;
const ofScrapes = scrapeMs / (SCRAPE_EVERY_SECONDS * 10);
const percent = ofDeliveries + ofScrapes;
console.log(`a delivery: ${on.toFixed(3)} µs with the meter, ${off.toFixed(3)} µs without`);
console.log(`a scrape: ${scrapeMs.toFixed(2)} ms`);
console.log(`at ${PER_SECOND} deliveries a second: ${percent.toFixed(2)} % of a core`);
process.exit(percent <= MOST_PERCENT ? 0 : 1);

/** Microseconds of processor time for each delivery. */
async function deliver(meter: DeliveryMeter): Promise<number> {
  const broadcaster = new Broadcaster();
  for (let index = 0; index < WATCHERS; index++) {
    const writer = new ConnectionWriter(new FreeSocket(index), clock, meter);
    const request = {
      writer,
      owner: NOBODY,
      replay: { mode: "none", after: undefined },
      untilTerminal: false,
      conflates: true,
    } as const;
    const delivery = new Delivery(request, broadcaster);
    delivery.begin(startLive(delivery.cursor));
  }
  const before = process.cpuUsage();
  for (let offset = 1; offset <= EVENTS; offset++) {
    broadcaster.push(eventAt(offset), clock.now());
    await Promise.resolve();
  }
  const { user, system } = process.cpuUsage(before);
  meter.report("websocket", telemetry);
  return (user + system) / (WATCHERS * EVENTS);
}

/** Milliseconds of processor time for a scrape with every series in use. */
async function scrapes(): Promise<number> {
  const times = 100;
  const before = process.cpuUsage();
  for (let n = 0; n < times; n++) await exposition.text();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / times;
}

function eventAt(offset: number): PublishedEvent {
  const text = `{"event_id":"bench-${offset}","event_type":"status_update"}`;
  return { position: { epoch: "bench", offset }, kind: "status", reopens: false, text };
}
