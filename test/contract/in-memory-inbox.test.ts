import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryInbox } from "../../src/adapters/memory/in-memory-inbox.ts";
import { inboxContract } from "../../src/testing/contracts/inbox-contract.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

inboxContract("memory", async () => {
  const options = { broker: new InMemoryBroker(), clock: new ManualClock() };
  return {
    node: (node) => new InMemoryInbox({ ...options, ...(node !== undefined && { node }) }),
    add: async (fields) => new InMemoryInbox(options).add(...fields),
    elapse: async (milliseconds) => options.clock.advance(milliseconds),
    close: async () => {},
  };
});
