import { describe, expect, test } from "bun:test";
import { Broadcaster } from "../../../src/application/fan-out/broadcaster.ts";
import { DeliveryMeters } from "../../../src/application/fan-out/delivery-meter.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { published } from "../../support/published-event.ts";
import { sourceOf } from "../../support/source-of.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

describe("DeliveryMeters", () => {
  test("MET-3: hands over each delivery once, by transport, and its time in the right bucket", () => {
    const meters = new DeliveryMeters();
    const telemetry = new CollectingTelemetry();
    for (const ms of [0, 1, 2, 40, 50, 31_000, -5]) meters.of("websocket").delivered(ms);
    meters.of("sse").written(3);
    meters.report(telemetry);
    meters.report(telemetry);
    expect(telemetry.series("telltale_events_delivered_total")).toMatchObject([
      { labels: { transport: "websocket" }, value: 7 },
      { labels: { transport: "sse" }, value: 3 },
    ]);
    const [times] = telemetry.series("telltale_delivery_seconds");
    expect(times?.updates).toBe(7);
    expect(times?.value).toBeCloseTo(31.093, 9);
    // Up to 1 ms, 2.5 ms, …, 50 ms; 31 s is above every bound.
    expect(times?.buckets).toEqual([3, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("a writer's meter", () => {
  const opened = () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster), { conflates: true });
    const telemetry = new CollectingTelemetry();
    const total = (name: "telltale_events_delivered_total" | "telltale_conflated_total") =>
      telemetry.series(name).reduce((sum, { value }) => sum + value, 0);
    const counted = () => {
      watcher.writer.meter.report("websocket", telemetry);
      return {
        delivered: total("telltale_events_delivered_total"),
        measured: telemetry.series("telltale_delivery_seconds")[0]?.updates ?? 0,
        conflated: total("telltale_conflated_total"),
        waiting: watcher.writer.meter.waiting,
      };
    };
    return { broadcaster, watcher, counted };
  };

  test("MET-4: counts a replay among the events that were written, and measures live events alone", async () => {
    const { broadcaster, watcher, counted } = opened();
    watcher.begin({ replay: [published(1), published(2)] });
    broadcaster.push(published(3), 0);
    broadcaster.push(published(4), 0);
    await turn();
    expect(watcher.wire.offsets).toEqual([1, 2, 3, 4]);
    expect(counted()).toEqual({ delivered: 4, measured: 2, conflated: 0, waiting: 0 });
  });

  test("MET-3: counts what is left out and what waits, and nothing once the client went", async () => {
    const { broadcaster, watcher, counted } = opened();
    watcher.begin();
    watcher.wire.takeOnly(1);
    broadcaster.push(published(1), 0);
    await turn();
    broadcaster.push(published(2, status()), 0);
    broadcaster.push(published(3, status()), 0);
    broadcaster.push(published(4, result()), 0);
    await turn();
    const waits = published(3, status()).text.length + published(4, result()).text.length;
    expect(counted()).toEqual({ delivered: 1, measured: 1, conflated: 1, waiting: waits });
    watcher.writer.closed();
    expect(counted()).toEqual({ delivered: 1, measured: 1, conflated: 1, waiting: 0 });
  });

  test("MET-3: does not count an event for a socket that broke", async () => {
    const { broadcaster, watcher, counted } = opened();
    watcher.begin();
    watcher.wire.breakDown();
    broadcaster.push(published(1), 0);
    broadcaster.push(published(2), 0);
    await turn();
    expect(counted().delivered).toBe(0);
  });
});
