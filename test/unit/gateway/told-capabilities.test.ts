import { describe, expect, test } from "bun:test";
import { InMemoryBroker } from "../../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryPubSub } from "../../../src/adapters/memory/in-memory-pub-sub.ts";
import { openMemoryBroker } from "../../../src/adapters/memory/memory-broker.ts";
import type { Durability } from "../../../src/application/ports/pub-sub-port.ts";
import { ToldCapabilities } from "../../../src/gateway/told-capabilities.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

const UNKNOWN: Durability = { keptIn: undefined, replicas: undefined };
const ALONE: Durability = { keptIn: "disk", replicas: 0 };

describe("ToldCapabilities", () => {
  function told() {
    const telemetry = new CollectingTelemetry();
    const shared = { telemetry, clock: new ManualClock(), history: { size: 1, ttlMs: 1 } };
    const options = { ...shared, broker: new InMemoryBroker() };
    const events = new LateToKnow(options);
    const { deadLetters } = openMemoryBroker(options);
    const capabilities = new ToldCapabilities({ broker: { events, deadLetters }, telemetry });
    const lists = () =>
      telemetry.logs
        .filter(({ message }) => message === "the broker")
        .map(({ fields }) => fields.capabilities);
    return { events, capabilities, telemetry, lists };
  }

  test("OPS-14: tells the list again once when the durability is known, and each time that it has changed", () => {
    const { events, capabilities, lists } = told();
    capabilities.tell();
    capabilities.tellChange();
    expect(lists()).toEqual(["dead_letters"]);
    events.durability = ALONE;
    for (let time = 0; time < 3; time++) capabilities.tellChange();
    expect(lists().slice(1)).toEqual(["dead_letters, durability:disk, replicas:0"]);
    events.durability = { ...ALONE, replicas: 1 };
    for (let time = 0; time < 3; time++) capabilities.tellChange();
    expect(lists().slice(2)).toEqual(["dead_letters, durability:disk, replicas:1"]);
  });

  test("OPS-14: tells nothing when the durability is not known for a while, and is the same again", () => {
    const { events, capabilities, lists } = told();
    events.durability = ALONE;
    capabilities.tell();
    for (const durability of [UNKNOWN, ALONE, UNKNOWN, ALONE]) {
      events.durability = durability;
      capabilities.tellChange();
    }
    expect(lists()).toEqual(["dead_letters, durability:disk, replicas:0"]);
  });

  test("OPS-13: tells each capability that is missing once", () => {
    const { events, capabilities, telemetry } = told();
    capabilities.tell();
    events.durability = ALONE;
    capabilities.tellChange();
    const lacking = telemetry.logs.filter(({ message }) => message === "the broker lacks a capability");
    expect(lacking.map(({ fields }) => fields.capability)).toEqual(["worker_channels", "inbox"]);
  });
});

/** A broker that says how long it keeps events only when the test does. */
class LateToKnow extends InMemoryPubSub {
  override durability: Durability = UNKNOWN;
}
