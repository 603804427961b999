import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { TIMED_IDS } from "../support/timed-ids.ts";
import { ModelPubSub } from "./model-pub-sub.ts";
import { ModelServer } from "./model-server.ts";
import { ModelTime } from "./model-time.ts";

// The model is worth as much as its broker: that one keeps every promise that the real ones keep.
pubSubContract(
  "the broker of the model",
  async () => {
    const time = new ModelTime();
    const server = new ModelServer(() => time.now, { size: 1_000, ttlMs: 86_400_000 });
    return {
      node: async ({ size = 1_000, ttlMs = 86_400_000 } = {}) => new ModelPubSub(server, { size, ttlMs }),
      elapse: async (milliseconds) => time.advance(milliseconds),
      loseEverything: async () => server.loseEverything(),
      close: async () => {},
    };
  },
  { newerFormat: false, occurrences: true, cancels: false, entryIds: TIMED_IDS },
);
