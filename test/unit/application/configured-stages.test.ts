import { describe, expect, test } from "bun:test";
import { InMemoryDeadLetters } from "../../../src/adapters/memory/in-memory-dead-letters.ts";
import { InMemoryInbox } from "../../../src/adapters/memory/in-memory-inbox.ts";
import { InMemoryWorkerChannels } from "../../../src/adapters/memory/in-memory-worker-channels.ts";
import { BroadcastEvent } from "../../../src/application/broadcast-event.ts";
import { IngestBareMessage } from "../../../src/application/ingest-bare-message.ts";
import { IngestInboxEntries } from "../../../src/application/ingest-inbox-entries.ts";
import { RepublishDeadLetter } from "../../../src/application/republish-dead-letter.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { eventRules } from "../../../src/domain/event-rules.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { BareMessages } from "../../support/bare-messages.ts";
import { ListedDeadLetters } from "../../support/listed-dead-letters.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";

const RULES = eventRules(["demux"]);
type Stage = "demux" | "uploading";

/** Every way in, as a gateway has it whose STAGES are `demux`. */
function waysIn() {
  const { broker, clock, telemetry, pubSub } = memoryNode();
  const channel = someAnalysis();
  const deadLetters = new InMemoryDeadLetters({ broker, clock });
  const workers = new InMemoryWorkerChannels({ broker, clock });
  const bare = new IngestBareMessage(pubSub, workers, deadLetters, clock, telemetry, RULES);
  const worker = new InMemoryInbox({ broker, clock });
  const body = (stage: Stage) =>
    JSON.stringify(statusUpdate({ current_stage: stage, analysis_id: analysisIdOf(channel) }));
  const take = async () => {
    const inbox = new IngestInboxEntries(worker, pubSub, deadLetters, clock, telemetry, RULES);
    inbox.start();
    await turn();
    await inbox.stop();
  };
  const ways = {
    http: (stage: Stage) =>
      new BroadcastEvent(pubSub, clock, telemetry, RULES).execute(channel, body(stage), undefined),
    bare: async (stage: Stage) => {
      bare.execute(new BareMessages().next(channel, body(stage)));
      await bare.settled();
    },
    inbox: async (stage: Stage) => {
      await worker.add(["event", body(stage)]);
      await take();
    },
    "the inbox, addressed": async (stage: Stage) => {
      await worker.addTo(channel, body(stage));
      await take();
    },
    "a dead letter": (stage: Stage) => republished(channel, body(stage)),
    "a dead letter of the inbox": (stage: Stage) => republished("telltale:inbox", body(stage)),
  };
  const republished = (on: string, payload: string) =>
    new RepublishDeadLetter(new ListedDeadLetters(), pubSub, RULES).execute({
      ...{ id: "1-0", channel: on, payload, reason: "r", at: "2026-11-24T03:27:22.785Z" },
    });
  const stored = async () => (await pubSub.history(channel, undefined, 10)).events.length;
  return { ways, stored };
}

describe("EV-19: the stages of the setting", () => {
  test.each(Object.keys(waysIn().ways) as (keyof ReturnType<typeof waysIn>["ways"])[])(
    "are those that hold on the way in by %s",
    async (name) => {
      const { ways, stored } = waysIn();
      await ways[name]("uploading");
      expect(await stored()).toBe(0);
      await ways[name]("demux");
      expect(await stored()).toBe(1);
    },
  );
});
