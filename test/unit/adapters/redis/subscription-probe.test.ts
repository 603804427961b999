import { describe, expect, test } from "bun:test";
import { SubscriptionProbe } from "../../../../src/adapters/redis/subscription-probe.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { turn } from "../../../support/turn.ts";

/** A connection that listens, and the broker that its probes go through. */
function probing() {
  const clock = new ManualClock();
  const telemetry = new CollectingTelemetry();
  const broker = { delivers: true, takes: true, receivers: 1, probes: [] as string[] };
  let found = 0;
  const probe: SubscriptionProbe = new SubscriptionProbe({
    clock,
    telemetry,
    purpose: "workers",
    publish: async (message) => {
      if (!broker.takes) throw new Error("away");
      broker.probes.push(message);
      if (broker.delivers) probe.heard(message);
      return broker.receivers;
    },
    onStalled: () => {
      found++;
      probe.end();
    },
    onRecovered: () => {},
  });
  const connect = async () => {
    probe.connected();
    probe.begin();
    await turn();
  };
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      clock.advance(500);
      await turn();
    }
  };
  return { clock, telemetry, broker, probe, connect, pass, found: () => found };
}

describe("SubscriptionProbe", () => {
  test("a connection that hears its probes is never suspected", async () => {
    const { probe, connect, pass, found, broker } = probing();
    await connect();
    await pass(60_000);
    expect([probe.away, found()]).toEqual([undefined, 0]);
    expect(broker.probes).toHaveLength(31);
  });

  test("OPS-11: a connection that hears nothing is not ready within six seconds and made anew within eight", async () => {
    const { probe, connect, pass, found, broker, telemetry } = probing();
    await connect();
    await pass(1_500);
    broker.delivers = false;
    await pass(5_000);
    expect(probe.away).toEqual({ cause: "deaf" });
    expect(found()).toBe(0);
    await pass(2_000);
    expect(found()).toBe(1);
    expect(telemetry.counts.get("deaf_connections")).toBe(1);
  });

  test("OPS-11: the connection stays not ready until a new one hears", async () => {
    const { probe, connect, pass, broker, found } = probing();
    await connect();
    broker.delivers = false;
    await pass(10_000);
    await connect();
    expect(probe.away).toEqual({ cause: "deaf" });
    await pass(8_000);
    expect(found()).toBe(2);
    broker.delivers = true;
    await connect();
    expect(probe.away).toBeUndefined();
  });

  test("while Redis does not take the probes, no subscription counts as stalled", async () => {
    const { probe, connect, pass, broker, found } = probing();
    await connect();
    broker.takes = false;
    await pass(60_000);
    expect([probe.away, found()]).toEqual([undefined, 0]);
  });

  test("a connection that is behind but still hears something is kept", async () => {
    const { probe, connect, pass, broker, found } = probing();
    await connect();
    broker.delivers = false;
    for (let second = 0; second < 60; second++) {
      probe.hears();
      await pass(1_000);
    }
    expect([probe.away, found()]).toEqual([undefined, 0]);
  });

  test("a process that was frozen reads waiting messages before its subscription counts as stalled", async () => {
    const { clock, probe, connect, pass, broker, found } = probing();
    await connect();
    broker.delivers = false;
    await pass(2_000);
    // Frozen: time passes, and only one of the missed ticks comes afterwards.
    clock.freeze(15_000);
    await turn();
    expect([probe.away, found()]).toEqual([undefined, 0]);
    for (const message of broker.probes) probe.heard(message);
    broker.delivers = true;
    await pass(10_000);
    expect([probe.away, found()]).toEqual([undefined, 0]);
  });

  test("lateMs is the age of the last own probe that was heard, and the probes of others do not change it", async () => {
    const { clock, probe, connect, pass, broker } = probing();
    await connect();
    await pass(1_500);
    expect(probe.lateMs).toBe(1_500);
    await pass(500);
    expect(probe.lateMs).toBe(0);
    broker.delivers = false;
    const missed = broker.probes.length;
    await pass(2_000);
    clock.freeze(150_000);
    expect(probe.lateMs).toBe(152_000);
    probe.heard(`another ${1} ${clock.now()}`);
    expect(probe.lateMs).toBe(152_000);
    probe.heard(broker.probes[missed] ?? "");
    expect(probe.lateMs).toBe(150_000);
  });

  test("lateMs is never more than the age of the connection", async () => {
    const { probe, connect, pass, broker } = probing();
    await connect();
    broker.delivers = false;
    await pass(10_000);
    probe.connected();
    await pass(500);
    expect(probe.lateMs).toBe(500);
  });

  test("the answer to a probe says whether others listen, anew on each connection", async () => {
    const { probe, connect, pass, broker } = probing();
    expect(probe.others).toBeUndefined();
    await connect();
    expect(probe.others).toBe(false);
    broker.receivers = 3;
    await pass(2_000);
    expect(probe.others).toBe(true);
    probe.end();
    expect(probe.others).toBeUndefined();
  });

  test("PUB-16: a probe that Redis sent to another connection alone does not say that there is no other", async () => {
    const { probe, connect, pass, broker } = probing();
    // Redis has cut the connection, and the node does not know it yet.
    broker.delivers = false;
    await connect();
    expect(probe.others).toBeUndefined();
    broker.receivers = 2;
    await pass(2_000);
    broker.receivers = 1;
    await pass(2_000);
    expect(probe.others).toBe(true);
    // It was late and not cut.
    probe.heard(broker.probes.at(-1) ?? "");
    expect(probe.others).toBe(false);
  });
});
