import { METRICS, type Transport } from "../ports/metric-catalogue.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";

/**
 * Counts everything that goes out, by transport. Deliveries are too many for a call of the telemetry each: the meters add
 * them up, and `report` hands over what was added since the last time.
 */
export class DeliveryMeters {
  readonly #meters: Readonly<Record<Transport, DeliveryMeter>> = {
    websocket: new DeliveryMeter(),
    sse: new DeliveryMeter(),
    wait: new DeliveryMeter(),
  };

  of(transport: Transport): DeliveryMeter {
    return this.#meters[transport];
  }

  report(telemetry: TelemetryPort): void {
    let waiting = 0;
    for (const [transport, meter] of Object.entries(this.#meters) as [Transport, DeliveryMeter][]) {
      waiting += meter.waiting;
      meter.report(transport, telemetry);
    }
    telemetry.set("telltale_waiting_bytes", {}, waiting);
  }
}

const BOUNDS_MS: readonly number[] = METRICS.telltale_delivery_seconds.buckets.map((bound) => bound * 1_000);

/** The deliveries over one transport. */
export class DeliveryMeter {
  /** Characters that wait for clients that do not keep up, counted for each client. */
  waiting = 0;
  #delivered = 0;
  #conflated = 0;
  /** How many of the live events took how long: one more place than bounds. */
  readonly #counts = [...BOUNDS_MS, 0].map(() => 0);
  readonly #sums = [...BOUNDS_MS, 0].map(() => 0);

  /** So many events were written that are not measured, for they are no live ones. */
  written(events: number): void {
    this.#delivered += events;
  }

  /** A live event was written `ageMs` after it was appended. The clocks of two machines may make that less than 0. */
  delivered(ageMs: number): void {
    this.#delivered++;
    const age = Math.max(ageMs, 0);
    let place = 0;
    while (place < BOUNDS_MS.length && age > (BOUNDS_MS[place] as number)) place++;
    this.#counts[place] = (this.#counts[place] as number) + 1;
    this.#sums[place] = (this.#sums[place] as number) + age;
  }

  /** So many statuses were left out for newer ones. */
  conflated(events: number): void {
    this.#conflated += events;
  }

  report(transport: Transport, telemetry: TelemetryPort): void {
    if (this.#delivered > 0)
      telemetry.count("telltale_events_delivered_total", { transport }, this.#delivered);
    if (this.#conflated > 0) telemetry.count("telltale_conflated_total", {}, this.#conflated);
    this.#delivered = this.#conflated = 0;
    for (const [place, times] of this.#counts.entries()) {
      if (times === 0) continue;
      // Their mean lies between the same two bounds as each of them, so buckets and sum come out right.
      const mean = (this.#sums[place] as number) / times;
      telemetry.observe("telltale_delivery_seconds", {}, mean / 1_000, times);
      this.#counts[place] = this.#sums[place] = 0;
    }
  }
}
