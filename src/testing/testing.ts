/**
 * `telltale/testing`: the contract suites of the ports, and adapters that collect what they are told, for the tests of an
 * adapter or of a program that uses Telltale.
 *
 * The suites are written for Bun's test runner: they import `bun:test`, so run them by `bun test`. A suite takes a
 * function that opens what is under test, and no more. docs/PROTOCOL.md has the rules that it holds.
 */
import { describe, test } from "bun:test";
import { type DeadLettersUnderTest, deadLetterContract } from "./contracts/dead-letter-contract.ts";
import { inboxContract } from "./contracts/inbox-contract.ts";
import type { InboxCapabilities, InboxUnderTest } from "./contracts/inbox-under-test.ts";
import { pubSubContract } from "./contracts/pub-sub-contract.ts";
import type { PubSubCapabilities, PubSubUnderTest } from "./contracts/pub-sub-under-test.ts";
import { type WorkersUnderTest, workerChannelContract } from "./contracts/worker-channel-contract.ts";

export { CollectingSubscriber } from "./collecting-subscriber.ts";
export { CollectingTelemetry } from "./collecting-telemetry.ts";
export { tokenVerifierContract } from "./contracts/token-verifier-contract.ts";
export { ManualClock } from "./manual-clock.ts";
export { RecordingConnection } from "./recording-connection.ts";
export type {
  DeadLettersUnderTest,
  InboxCapabilities,
  InboxUnderTest,
  PubSubCapabilities,
  PubSubUnderTest,
  WorkersUnderTest,
};
export { deadLetterContract, inboxContract, pubSubContract, workerChannelContract };

/** Opens each port of one bundle (`BrokerPorts`) for its suite. A capability that the broker lacks is left out. */
export interface BrokerUnderTest {
  readonly events: () => Promise<PubSubUnderTest>;
  readonly capabilities: PubSubCapabilities;
  readonly deadLetters: () => Promise<DeadLettersUnderTest>;
  readonly workerChannels?: () => Promise<WorkersUnderTest>;
  readonly inbox?: () => Promise<InboxUnderTest>;
  readonly inboxCapabilities?: InboxCapabilities;
}

/** The contract suites of all ports of a bundle. The suite of a missing capability shows as one skipped test. */
export function brokerContract(name: string, broker: BrokerUnderTest): void {
  pubSubContract(name, broker.events, broker.capabilities);
  deadLetterContract(name, broker.deadLetters);
  if (broker.workerChannels !== undefined) workerChannelContract(name, broker.workerChannels);
  else missing("WorkerChannelPort");
  if (broker.inbox !== undefined) inboxContract(name, broker.inbox, broker.inboxCapabilities);
  else missing("InboxPort");

  function missing(port: string): void {
    describe(`${port} on ${name}`, () => test.skip("is a capability that this broker lacks", () => {}));
  }
}
