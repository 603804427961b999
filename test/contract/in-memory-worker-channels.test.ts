import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryWorkerChannels } from "../../src/adapters/memory/in-memory-worker-channels.ts";
import { workerChannelContract } from "../../src/testing/contracts/worker-channel-contract.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

workerChannelContract("memory", async () => {
  const broker = new InMemoryBroker();
  const clock = new ManualClock();
  return {
    node: () => new InMemoryWorkerChannels({ broker, clock }),
    publish: async (channel, payload) => broker.publishBare({ channel, payload }),
    elapse: async (milliseconds) => clock.advance(milliseconds),
    close: async () => {},
  };
});
