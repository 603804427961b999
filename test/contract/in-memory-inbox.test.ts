import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryInbox } from "../../src/adapters/memory/in-memory-inbox.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { inboxContract } from "./inbox-contract.ts";

inboxContract("memory", async () => {
  const options = { broker: new InMemoryBroker(), clock: new ManualClock() };
  return {
    node: (node) => new InMemoryInbox({ ...options, ...(node !== undefined && { node }) }),
    add: async (fields) => new InMemoryInbox(options).add(...fields),
    elapse: async (milliseconds) => options.clock.advance(milliseconds),
    close: async () => {},
  };
});
