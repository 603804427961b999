import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryDeadLetters } from "../../src/adapters/memory/in-memory-dead-letters.ts";
import { InMemoryInbox } from "../../src/adapters/memory/in-memory-inbox.ts";
import { InMemoryPubSub } from "../../src/adapters/memory/in-memory-pub-sub.ts";
import { InMemoryWorkerChannels } from "../../src/adapters/memory/in-memory-worker-channels.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { brokerContract } from "../../src/testing/testing.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";

brokerContract("memory", {
  events: async () => {
    const { broker, clock, time } = bench();
    return {
      node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
        new InMemoryPubSub({ clock, telemetry: new CollectingTelemetry(), history: { size, ttlMs }, broker }),
      loseEverything: async () => broker.loseEverything(),
      ...time,
    };
  },
  capabilities: { newerFormat: false, occurrences: true, entryIds: TIMED_IDS },
  deadLetters: async () => {
    const { broker, clock, time } = bench();
    return { node: () => new InMemoryDeadLetters({ broker, clock }), ...time };
  },
  workerChannels: async () => {
    const { broker, clock, time } = bench();
    return {
      node: () => new InMemoryWorkerChannels({ broker, clock }),
      publish: async (channel, payload) => broker.publishBare({ channel, payload }),
      ...time,
    };
  },
  inboxCapabilities: { channels: true },
  inbox: async () => {
    const { broker, clock, time } = bench();
    return {
      node: (node) => new InMemoryInbox({ broker, clock, ...(node !== undefined && { node }) }),
      add: async (fields) => new InMemoryInbox({ broker, clock }).add(...fields),
      addTo: async (channel, event) => new InMemoryInbox({ broker, clock }).addTo(channel, event),
      ...time,
    };
  },
});

function bench() {
  const clock = new ManualClock();
  const time = { elapse: async (milliseconds: number) => clock.advance(milliseconds), close: async () => {} };
  return { broker: new InMemoryBroker(), clock, time };
}
