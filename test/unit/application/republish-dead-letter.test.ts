import { describe, expect, test } from "bun:test";
import { OutcomeUnknown } from "../../../src/application/errors.ts";
import type { KeptDeadLetter } from "../../../src/application/ports/dead-letter-port.ts";
import { RepublishDeadLetter } from "../../../src/application/republish-dead-letter.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { ListedDeadLetters } from "../../support/listed-dead-letters.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { statusUpdate } from "../../support/publishing.ts";

describe("RepublishDeadLetter", () => {
  const bench = () => {
    const node = memoryNode();
    const deadLetters = new ListedDeadLetters();
    const republish = new RepublishDeadLetter(deadLetters, node.pubSub);
    const channel = someAnalysis();
    const keep = (on: string, payload: unknown, at = "2026-11-24T03:27:22.785Z"): KeptDeadLetter => {
      const text = typeof payload === "string" ? payload : JSON.stringify(payload);
      const deadLetter = { id: `1-${deadLetters.kept.length}`, channel: on, payload: text, reason: "r", at };
      deadLetters.kept.push(deadLetter);
      return deadLetter;
    };
    const stored = async () =>
      (await node.elsewhere.history(channel, undefined, 10)).events.map(({ text }) => JSON.parse(text));
    return { ...node, deadLetters, republish, channel, keep, stored };
  };

  test("DL-3: execute() stores a dead letter that is an event by now once, with its time, and removes it", async () => {
    const { republish, deadLetters, channel, keep, stored } = bench();
    const deadLetter = keep(channel, statusUpdate());
    expect(await republish.execute(deadLetter)).toEqual({ type: "stored" });
    expect(await republish.execute(deadLetter)).toEqual({ type: "stored" });
    expect(await stored()).toMatchObject([{ timestamp: "2026-11-24T03:27:22.785Z" }]);
    expect(deadLetters.kept).toEqual([]);
  });

  test("DL-3: execute() stores a dead letter of the inbox on the analysis that it names", async () => {
    const { republish, channel, keep, stored } = bench();
    const deadLetter = keep("telltale:inbox", statusUpdate({ analysis_id: analysisIdOf(channel) }));
    expect(await republish.execute(deadLetter)).toEqual({ type: "stored" });
    expect(await stored()).toHaveLength(1);
  });

  test("DL-3: execute() makes two events of two dead letters that hold the same", async () => {
    const { republish, channel, keep, stored } = bench();
    for (const deadLetter of [keep(channel, statusUpdate()), keep(channel, statusUpdate())])
      await republish.execute(deadLetter);
    expect(await stored()).toHaveLength(2);
  });

  test("DL-3: an answer that got lost removes nothing, and the next attempt stores nothing twice", async () => {
    const { republish, deadLetters, channel, keep, stored, pubSub } = bench();
    const deadLetter = keep(channel, statusUpdate());
    pubSub.holdsCalls = true;
    const lost = republish.execute(deadLetter).catch((error: unknown) => error);
    await pubSub.proceed();
    pubSub.failWaiting(new OutcomeUnknown("no answer"));
    expect(await lost).toBeInstanceOf(OutcomeUnknown);
    expect(deadLetters.kept).toEqual([deadLetter]);
    pubSub.holdsCalls = false;
    await republish.execute(deadLetter);
    expect([(await stored()).length, deadLetters.kept.length]).toEqual([1, 0]);
  });

  test.each<[string, unknown, string]>([
    ["weather", statusUpdate(), "invalid: channel: names no analysis or user"],
    ["analysis:job-42", statusUpdate(), "invalid: channel: an analysis id is a UUID"],
    ["user: ", {}, "invalid: channel: a user id is text of 1 to 256 bytes that is not blank"],
    ["telltale:inbox", statusUpdate(), "invalid: analysis_id: is required"],
    ["telltale:inbox", statusUpdate({ analysis_id: "job-42" }), "invalid: analysis_id: must be a UUID"],
    ["telltale:inbox", "data {}", "not_json: event: must be JSON"],
    ["user:alice", {}, "invalid: message: is required"],
    ["user:alice", "x".repeat(64 * 1024), "only its first 64 KiB were kept: it cannot be published again"],
  ])(
    "DL-4: execute() leaves a dead letter on %s that is still no event, and says why",
    async (on, payload, reason) => {
      const { republish, deadLetters, keep } = bench();
      expect(await republish.execute(keep(on, payload))).toEqual({ type: "kept", reason });
      expect(deadLetters.kept).toHaveLength(1);
    },
  );

  test("DL-3: execute() leaves a dead letter that was kept at no time", async () => {
    const { republish, channel, keep } = bench();
    const deadLetter = keep(channel, statusUpdate(), "yesterday");
    expect(await republish.execute(deadLetter)).toEqual({ type: "kept", reason: "at: is no time" });
  });
});
