import { brokerContract, CollectingTelemetry, ManualClock } from "telltale/testing";
import { openNode } from "./broker.ts";
import { Store } from "./store.ts";

brokerContract(
  "the minimal broker",
  async () => {
    const [store, clock, telemetry] = [new Store(), new ManualClock(), new CollectingTelemetry()];
    return {
      node: ({ size = 1_000, ttlMs = 86_400_000 } = {}) =>
        openNode(store, { clock, telemetry, history: { size, ttlMs } }),
      elapse: async (milliseconds) => clock.advance(milliseconds),
      loseEverything: async () => store.loseEverything(),
      close: async () => {},
    };
  },
  { capabilities: ["dead_letters", "durability:process", "replicas:0"] },
);
