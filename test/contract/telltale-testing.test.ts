import { describe, expect, test } from "bun:test";
import { brokerContract, CollectingTelemetry, ManualClock } from "telltale/testing";
import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { openMemoryBroker } from "../../src/adapters/memory/memory-broker.ts";

// As the author of another adapter runs them: through the package, for a broker that lacks worker channels and an inbox.
brokerContract("a bundle without capabilities", {
  events: async () => {
    const { broker, clock, telemetry } = bench();
    return {
      node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
        openMemoryBroker({ clock, telemetry, history: { size, ttlMs }, broker }).events,
      elapse: async (milliseconds) => clock.advance(milliseconds),
      loseEverything: async () => broker.loseEverything(),
      close: async () => {},
    };
  },
  capabilities: { newerFormat: false, occurrences: false, entryIds: [] },
  deadLetters: async () => {
    const { broker, clock, telemetry } = bench();
    const history = { size: 1_000, ttlMs: 86_400_000 };
    return {
      node: () => openMemoryBroker({ clock, telemetry, history, broker }).deadLetters,
      elapse: async (milliseconds) => clock.advance(milliseconds),
      close: async () => {},
    };
  },
});

function bench() {
  return { broker: new InMemoryBroker(), clock: new ManualClock(), telemetry: new CollectingTelemetry() };
}

describe("telltale/testing", () => {
  test("exports each suite and each adapter that collects", async () => {
    expect(Object.keys(await import("telltale/testing")).sort()).toEqual([
      "CollectingSubscriber",
      "CollectingTelemetry",
      "ManualClock",
      "RecordingConnection",
      "brokerContract",
      "deadLetterContract",
      "inboxContract",
      "pubSubContract",
      "tokenVerifierContract",
      "workerChannelContract",
    ]);
  });
});
