/**
 * `telltale/testing`: the contract suites of the ports, and adapters that collect what they are told, for the tests of an
 * adapter or of a program that uses Telltale.
 *
 * The suites import `bun:test`, so run them by `bun test`. On Deno the imports of `deno.json` put `bun-test-on-deno.ts` in
 * its place. A suite takes a function that opens what is under test, and no more. docs/PROTOCOL.md has its rules.
 */
import { describe, test } from "bun:test";
import {
  type BrokerUnderTest,
  type DeclaredBroker,
  openDeadLetters,
  openEvents,
  openInbox,
  openWorkerChannels,
} from "./contracts/broker-under-test.ts";
import { bundleContract } from "./contracts/bundle-contract.ts";
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
  BrokerUnderTest,
  DeadLettersUnderTest,
  DeclaredBroker,
  InboxCapabilities,
  InboxUnderTest,
  PubSubCapabilities,
  PubSubUnderTest,
  WorkersUnderTest,
};
export { bundleContract, deadLetterContract, inboxContract, pubSubContract, workerChannelContract };

/**
 * The contract suites of a bundle and of all its ports. `open` gives an empty broker for each test. Each node is opened
 * whole, as a gateway opens it. The suite of a port that the bundle does not declare shows as one skipped test.
 */
export function brokerContract(
  name: string,
  open: () => Promise<BrokerUnderTest>,
  declared: DeclaredBroker,
): void {
  const has = (capability: string) => declared.capabilities.includes(capability);
  const hears = has("worker_channels") && !has("worker_channels_kept");
  const { newerFormat = false, cancels, endedCancels, inbox } = declared;

  bundleContract(name, open, declared);
  pubSubContract(name, () => openEvents(open), {
    newerFormat,
    cancels,
    occurrences: hears,
    entryIds: inbox?.entryIds ?? [],
    entryKeys: inbox?.keys,
    endedCancels,
  });
  deadLetterContract(name, () => openDeadLetters(open));
  if (hears) workerChannelContract(name, () => openWorkerChannels(open));
  else missing("WorkerChannelPort");
  if (has("inbox")) inboxContract(name, () => openInbox(open), inbox);
  else missing("InboxPort");

  function missing(port: string): void {
    describe(`${port} on ${name}`, () => test.skip("is a capability that this broker lacks", () => {}));
  }
}
