import { InMemoryDeadLetters } from "../../../src/adapters/memory/in-memory-dead-letters.ts";
import { InMemoryInbox } from "../../../src/adapters/memory/in-memory-inbox.ts";
import { IngestInboxEntries } from "../../../src/application/ingest-inbox-entries.ts";
import type { InboxPort } from "../../../src/application/ports/inbox-port.ts";
import type { ChannelName } from "../../../src/domain/channel.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";

/** A gateway that takes from the inbox, and what it stored and refused. */
export function ingesting(options: Parameters<typeof memoryNode>[0] = {}) {
  const node = memoryNode(options);
  const { broker, clock, telemetry, pubSub } = node;
  const channel = someAnalysis();
  const keeper = new InMemoryDeadLetters({ broker, clock });
  const worker = new InMemoryInbox({ broker, clock });
  const taker = (inbox: InboxPort = new InMemoryInbox({ broker, clock })) =>
    new IngestInboxEntries(inbox, pubSub, keeper, clock, telemetry);
  const add = (body: unknown) =>
    worker.add(["event", typeof body === "string" ? body : JSON.stringify(body)]);
  const addTo = (to: string, message: string, fields: Record<string, unknown> = {}) =>
    add(statusUpdate({ analysis_id: to.slice("analysis:".length), message, ...fields }));
  /** Adds an event to the channel that a worker addressed. */
  const addOn = (on: string, body: unknown) =>
    worker.addTo(on, typeof body === "string" ? body : JSON.stringify(body));
  const kept = async (of: ChannelName = channel) =>
    (await node.elsewhere.history(of, undefined, 1_000)).events.map(({ text }) => JSON.parse(text));
  const messages = async (of: ChannelName = channel) => (await kept(of)).map(({ message }) => message);
  const count = (name: string) => telemetry.counts.get(name) ?? 0;
  const left = () => broker.inbox.size;
  const deadLetters = () => broker.deadLetters.map(({ channel: on, reason }) => [on, reason]);
  /** Passes time in steps, so that every timer falls due. */
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 250) {
      clock.advance(250);
      await turn();
    }
  };
  return {
    ...node,
    channel,
    worker,
    taker,
    add,
    addTo,
    addOn,
    kept,
    messages,
    count,
    left,
    deadLetters,
    pass,
  };
}
