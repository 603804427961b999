import { type BrokerPorts, closeBroker } from "../../application/ports/broker-ports.ts";
import type { DeadLettersUnderTest } from "./dead-letter-contract.ts";
import type { Fields, InboxCapabilities, InboxUnderTest } from "./inbox-under-test.ts";
import type { PubSubUnderTest } from "./pub-sub-under-test.ts";
import type { WorkersUnderTest } from "./worker-channel-contract.ts";

/** The broker under test. The suites ask for a fresh one, or one that was emptied, for each of their tests. */
export interface BrokerUnderTest {
  /** Another node on the same broker: the ports that `openBroker` gives. The suite closes them. */
  node(history?: { readonly size?: number; readonly ttlMs?: number }): BrokerPorts | Promise<BrokerPorts>;
  /** Resolves when so many milliseconds of the broker's time have passed. */
  elapse(milliseconds: number): Promise<void>;
  /** The broker loses every event and key that it kept; connections stay. */
  loseEverything(): Promise<void>;
  /** Marks the channel as written by a newer Telltale. Left out if the bundle declares no `newerFormat`. */
  writeNewerFormat?(channel: string): Promise<void>;
  /** Ends the broker's process without warning, and starts it again. Needed if the bundle declares `durability:disk`. */
  restart?(): Promise<void>;
  /** Publishes to a plain channel as a worker does. Needed if the bundle has worker channels. */
  publish?(channel: string, payload: string): Promise<void>;
  /**
   * Adds an entry to the inbox as a worker does, and resolves with its id. If entries have no fields, `fields` is one
   * `event` alone. Needed if the bundle has an inbox.
   */
  add?(fields: Fields): Promise<string>;
  /** Adds an event to the inbox as a worker does that addresses a channel. Needed if the inbox has `channels`. */
  addTo?(channel: string, event: string): Promise<string>;
  /** Called after the nodes were closed. */
  close(): Promise<void>;
}

/** All that a bundle declares. The suites hold it to that, and skip the rules of a capability that it lacks. */
export interface DeclaredBroker {
  /** The words of `broker.capabilities` in `/ws/health`: `capabilitiesOf` once the broker has answered. */
  readonly capabilities: readonly string[];
  /** Whether a newer Telltale may have written what the broker keeps. Then there is `writeNewerFormat`. Default: false. */
  readonly newerFormat?: boolean;
  /** Whether it keeps requests to cancel: its events have `requestCancel` and `signOfLife`. Default: true. */
  readonly cancels?: boolean;
  /** Whether its events tell of an ended analysis who had asked for that (`ChannelSnapshot.cancelAtEnd`). Default: false. */
  readonly endedCancels?: boolean;
  /** How an entry looks, and some ids, at least six, in the order of the inbox; left out if the bundle has no inbox. */
  readonly inbox?: InboxCapabilities & { readonly entryIds: readonly string[] };
}

export type OpenBrokerUnderTest = () => Promise<BrokerUnderTest>;

/** A broker whose nodes are closed with it, every port of them. */
export async function opened(
  open: OpenBrokerUnderTest,
): Promise<BrokerUnderTest & { node(...given: Parameters<BrokerUnderTest["node"]>): Promise<BrokerPorts> }> {
  const broker = await open();
  const nodes: BrokerPorts[] = [];
  return {
    ...broker,
    node: async (history) => {
      const node = await broker.node(history);
      nodes.push(node);
      return node;
    },
    close: async () => {
      await Promise.all(nodes.map(closeBroker));
      await broker.close();
    },
  };
}

export async function openEvents(open: OpenBrokerUnderTest): Promise<PubSubUnderTest> {
  const broker = await opened(open);
  return { ...broker, node: async (history) => (await broker.node(history)).events };
}

export async function openDeadLetters(open: OpenBrokerUnderTest): Promise<DeadLettersUnderTest> {
  const broker = await opened(open);
  return { ...broker, node: async () => (await broker.node()).deadLetters };
}

export async function openWorkerChannels(open: OpenBrokerUnderTest): Promise<WorkersUnderTest> {
  const broker = await opened(open);
  return {
    ...broker,
    node: async () => given("workerChannels", (await broker.node()).workerChannels),
    publish: given("publish", broker.publish),
  };
}

export async function openInbox(open: OpenBrokerUnderTest): Promise<InboxUnderTest> {
  const broker = await opened(open);
  return {
    ...broker,
    node: async () => given("inbox", (await broker.node()).inbox),
    add: given("add", broker.add),
  };
}

/** A part that must be there because of what the bundle declares. */
export function given<Part>(name: string, part: Part | undefined): Part {
  if (part === undefined) throw new Error(`the bundle declares what needs \`${name}\`, and there is none`);
  return part;
}
