import { describe, expect, test } from "bun:test";
import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryPubSub } from "../../src/adapters/memory/in-memory-pub-sub.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";

describe("InMemoryPubSub", () => {
  const history = { size: 1_000, ttlMs: 60_000 };

  test("append() has called the subscribers when it resolves", async () => {
    const pubSub = new InMemoryPubSub({
      clock: new ManualClock(),
      telemetry: new CollectingTelemetry(),
      history,
    });
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await pubSub.subscribe(channel, heard);
    await pubSub.append({ channel, events: [status()] });
    expect(heard.offsets).toEqual([1]);
  });

  test("a subscriber that throws is logged and counted", async () => {
    const telemetry = new CollectingTelemetry();
    const pubSub = new InMemoryPubSub({ clock: new ManualClock(), telemetry, history });
    const channel = someAnalysis();
    await pubSub.subscribe(channel, {
      event: () => {
        throw new Error("broken");
      },
      viewersChanged: () => {},
      cancelRequested: () => {},
      linkRestored: () => {},
    });
    await pubSub.append({ channel, events: [status()] });
    expect(telemetry.counts.get("subscriber_faults")).toBe(1);
    expect(telemetry.logs).toEqual([
      { level: "error", message: "a subscriber threw", fields: { channel, reason: "broken" } },
    ]);
  });

  test("nobody listens at the broker once all have unsubscribed or the node was closed", async () => {
    const broker = new InMemoryBroker();
    const options = { clock: new ManualClock(), telemetry: new CollectingTelemetry(), history, broker };
    const [one, two] = [new InMemoryPubSub(options), new InMemoryPubSub(options)];
    const channel = someAnalysis();
    const subscription = await one.subscribe(channel, new CollectingSubscriber());
    await two.subscribe(channel, new CollectingSubscriber());
    await subscription.unsubscribe();
    expect(broker.listeningOn()).toEqual([channel]);
    await two.close();
    expect(broker.listeningOn()).toEqual([]);
  });

  test("a channel that expired is released though nobody asks for it", async () => {
    const broker = new InMemoryBroker();
    const clock = new ManualClock();
    const pubSub = new InMemoryPubSub({ clock, telemetry: new CollectingTelemetry(), history, broker });
    for (let n = 0; n < 10; n++) {
      const channel = someAnalysis();
      await pubSub.append({ channel, events: [status()] });
      await pubSub.declareViewers(channel, "*");
    }
    expect(broker.size).toEqual({ channels: 10, viewers: 10 });
    clock.advance(75_000);
    expect(broker.size).toEqual({ channels: 0, viewers: 0 });
  });
});
