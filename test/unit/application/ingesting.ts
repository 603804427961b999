import { InMemoryDeadLetters } from "../../../src/adapters/memory/in-memory-dead-letters.ts";
import { InMemoryWorkerChannels } from "../../../src/adapters/memory/in-memory-worker-channels.ts";
import { IngestBareMessage } from "../../../src/application/ingest-bare-message.ts";
import type { BareMessage } from "../../../src/application/ports/worker-channel-port.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { BareMessages } from "../../support/bare-messages.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { turn } from "../../support/turn.ts";
import { wholeHistory } from "../../support/whole-history.ts";

/** The pause between two attempts to store, in milliseconds. */
export const RETRY = 250;

/** A gateway that hears workers, and what it stored and refused. */
export function ingesting(options: Parameters<typeof memoryNode>[0] = {}) {
  const node = memoryNode(options);
  const { broker, clock, telemetry, pubSub } = node;
  const channel = someAnalysis();
  const workers = new InMemoryWorkerChannels({ broker, clock });
  const deadLetters = new InMemoryDeadLetters({ broker, clock });
  const ingest = new IngestBareMessage(pubSub, workers, deadLetters, clock, telemetry);
  const heard = new BareMessages();
  const hear = (body: unknown, on: string = channel, rest: Partial<BareMessage> = {}) =>
    ingest.execute(heard.next(on, typeof body === "string" ? body : JSON.stringify(body), rest));
  const kept = async () => (await wholeHistory(node.elsewhere, channel)).map(({ text }) => JSON.parse(text));
  const messages = async () => (await kept()).map(({ message }) => message);
  const count = (name: string) => telemetry.counts.get(name) ?? 0;
  /** Passes time as it comes, so that every retry falls due. */
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += RETRY) {
      clock.advance(RETRY);
      await turn();
    }
  };
  return { ...node, channel, workers, deadLetters, ingest, heard, hear, kept, messages, count, pass };
}
