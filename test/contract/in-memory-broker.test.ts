import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryInbox } from "../../src/adapters/memory/in-memory-inbox.ts";
import { openMemoryBroker } from "../../src/adapters/memory/memory-broker.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { brokerContract } from "../../src/testing/testing.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";

brokerContract(
  "memory",
  async () => {
    const [broker, clock, telemetry] = [new InMemoryBroker(), new ManualClock(), new CollectingTelemetry()];
    const worker = new InMemoryInbox({ broker, clock });
    return {
      node: ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
        openMemoryBroker({ clock, telemetry, history: { size, ttlMs }, broker }),
      elapse: async (milliseconds) => clock.advance(milliseconds),
      loseEverything: async () => broker.loseEverything(),
      publish: async (channel, payload) => broker.publishBare({ channel, payload }),
      add: async (fields) => worker.add(...fields),
      addTo: async (channel, event) => worker.addTo(channel, event),
      close: () => worker.close(),
    };
  },
  {
    endedCancels: true,
    capabilities: ["dead_letters", "inbox", "worker_channels", "durability:process", "replicas:0"],
    inbox: { keys: true, channels: true, entryIds: TIMED_IDS },
  },
);
