import { InMemoryBroker } from "../../src/adapters/memory/in-memory-broker.ts";
import { InMemoryDeadLetters } from "../../src/adapters/memory/in-memory-dead-letters.ts";
import { deadLetterContract } from "../../src/testing/contracts/dead-letter-contract.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

deadLetterContract("memory", async () => {
  const options = { broker: new InMemoryBroker(), clock: new ManualClock() };
  return {
    node: () => new InMemoryDeadLetters(options),
    elapse: async (milliseconds) => options.clock.advance(milliseconds),
    close: async () => {},
  };
});
