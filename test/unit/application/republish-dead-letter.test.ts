import { describe, expect, test } from "bun:test";
import { OutcomeUnknown } from "../../../src/application/errors.ts";
import type { KeptDeadLetter } from "../../../src/application/ports/dead-letter-port.ts";
import { RepublishDeadLetter } from "../../../src/application/republish-dead-letter.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { ListedLetters } from "../../support/listed-dead-letters.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { statusUpdate } from "../../support/publishing.ts";

describe("RepublishDeadLetter", () => {
  const bench = () => {
    const node = memoryNode();
    const letters = new ListedLetters();
    const republish = new RepublishDeadLetter(letters, node.pubSub);
    const channel = someAnalysis();
    const bury = (on: string, payload: unknown, at = "2026-11-24T03:27:22.785Z"): KeptDeadLetter => {
      const text = typeof payload === "string" ? payload : JSON.stringify(payload);
      const letter = { id: `1-${letters.kept.length}`, channel: on, payload: text, reason: "r", at };
      letters.kept.push(letter);
      return letter;
    };
    const stored = async () =>
      (await node.elsewhere.history(channel, undefined, 10)).events.map(({ text }) => JSON.parse(text));
    return { ...node, letters, republish, channel, bury, stored };
  };

  test("DL-3: a letter that is an event by now is stored once, with the time of the letter, and removed", async () => {
    const { republish, letters, channel, bury, stored } = bench();
    const letter = bury(channel, statusUpdate());
    expect(await republish.execute(letter)).toEqual({ type: "stored" });
    expect(await republish.execute(letter)).toEqual({ type: "stored" });
    expect(await stored()).toMatchObject([{ timestamp: "2026-11-24T03:27:22.785Z" }]);
    expect(letters.kept).toEqual([]);
  });

  test("DL-3: one of the inbox goes to the analysis that it names", async () => {
    const { republish, channel, bury, stored } = bench();
    const letter = bury("telltale:inbox", statusUpdate({ analysis_id: analysisIdOf(channel) }));
    expect(await republish.execute(letter)).toEqual({ type: "stored" });
    expect(await stored()).toHaveLength(1);
  });

  test("DL-3: two letters that hold the same are two events", async () => {
    const { republish, channel, bury, stored } = bench();
    for (const letter of [bury(channel, statusUpdate()), bury(channel, statusUpdate())])
      await republish.execute(letter);
    expect(await stored()).toHaveLength(2);
  });

  test("DL-3: an answer that got lost removes nothing, and the next attempt stores nothing twice", async () => {
    const { republish, letters, channel, bury, stored, pubSub } = bench();
    const letter = bury(channel, statusUpdate());
    pubSub.holdsCalls = true;
    const lost = republish.execute(letter).catch((error: unknown) => error);
    await pubSub.proceed();
    pubSub.failWaiting(new OutcomeUnknown("no answer"));
    expect(await lost).toBeInstanceOf(OutcomeUnknown);
    expect(letters.kept).toEqual([letter]);
    pubSub.holdsCalls = false;
    await republish.execute(letter);
    expect([(await stored()).length, letters.kept.length]).toEqual([1, 0]);
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
  ])("DL-4: a letter on %s that is still none stays, and it is said why", async (on, payload, reason) => {
    const { republish, letters, bury } = bench();
    expect(await republish.execute(bury(on, payload))).toEqual({ type: "kept", reason });
    expect(letters.kept).toHaveLength(1);
  });

  test("DL-3: a letter that was kept at no time stays", async () => {
    const { republish, channel, bury } = bench();
    const letter = bury(channel, statusUpdate(), "yesterday");
    expect(await republish.execute(letter)).toEqual({ type: "kept", reason: "at: is no time" });
  });
});
