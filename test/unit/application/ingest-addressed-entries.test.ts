import { describe, expect, test } from "bun:test";
import { InMemoryInbox } from "../../../src/adapters/memory/in-memory-inbox.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { ingesting } from "./ingesting-inbox.ts";

describe("INB-10: an entry that a worker addressed to a channel", () => {
  test("is an event of that channel, in the order of all its entries, and each is one of its own", async () => {
    const { taker, addOn, addTo, channel, messages, left, deadLetters, pass } = ingesting();
    addOn(channel, statusUpdate({ message: "1" }));
    addTo(channel, "2");
    addOn(channel.toUpperCase().replace("ANALYSIS", "analysis"), statusUpdate({ message: "3" }));
    for (let n = 0; n < 2; n++) addOn(channel, statusUpdate({ message: "same" }));
    taker().start();
    await pass(250);
    expect(await messages()).toEqual(["1", "2", "3", "same", "same"]);
    expect([deadLetters(), left()]).toEqual([[], 0]);
  });

  test("is a notice on a user's channel and on that of everybody", async () => {
    const { taker, addOn, messages, deadLetters, pass } = ingesting();
    addOn("user:alice@example.com", { message: "for you" });
    addOn("system:updates", { event_type: "notice", message: "for all" });
    addOn("user:alice@example.com", { message: "again" });
    addOn("system:updates", statusUpdate());
    taker().start();
    await pass(250);
    expect(await messages("user:alice@example.com")).toEqual(["for you", "again"]);
    expect(await messages("system:updates")).toEqual(["for all"]);
    expect(deadLetters()).toEqual([
      ["system:updates", "invalid: event_type: must be notice on this channel"],
    ]);
  });

  test("is a dead letter with the channel as the worker named it if that is none, or if the event breaks a rule", async () => {
    const { taker, addOn, channel, messages, deadLetters, left, pass } = ingesting();
    addOn("analysis:job-42", statusUpdate());
    addOn("user: ", { message: "m" });
    addOn("weather", { message: "m" });
    addOn(channel, "{oops");
    addOn(channel, statusUpdate({ analysis_id: analysisIdOf(someAnalysis()) }));
    addOn(channel, statusUpdate({ message: "after" }));
    taker().start();
    await pass(250);
    expect([await messages(), left()]).toEqual([["after"], 0]);
    expect(deadLetters()).toEqual([
      ["analysis:job-42", "channel: an analysis id is a UUID"],
      ["user: ", "channel: a user id is text of 1 to 256 bytes that is not blank"],
      ["weather", "channel: names no analysis or user"],
      [channel, "not_json: event: must be JSON"],
      [channel, "invalid: analysis_id: must be the analysis it is published to"],
    ]);
  });

  test("EV-18 ends the wait if it was a terminal event that broke a rule, also if it names no analysis or cannot be read whole", async () => {
    const { taker, addOn, channel, kept, deadLetters, broker, clock, pass } = ingesting();
    addOn(channel, statusUpdate({ message: "before" }));
    addOn(channel, resultUpdate({ confidence_score: "NaN" }));
    addOn(channel, { pad: "x".repeat(1_100_000), ...errorEvent() });
    addOn(channel, statusUpdate({ message: "after" }));
    for (let n = 0; n < 2; n++) taker(new InMemoryInbox({ broker, clock, node: "same" })).start();
    await pass(500);
    expect((await kept()).map(({ error_code, message }) => error_code ?? message)).toEqual([
      "before",
      "event_refused",
      "event_refused",
      "after",
    ]);
    expect(deadLetters()).toEqual([
      [channel, "invalid: confidence_score: must be a number from 0 to 1"],
      [channel, "too_large: event: must be at most 1048576 bytes"],
    ]);
  });

  test("counts as published bare, and an entry of the inbox as one of the inbox", async () => {
    const { taker, addOn, addTo, channel, telemetry, pass } = ingesting();
    addOn(channel, statusUpdate());
    addTo(channel, "2");
    taker().start();
    await pass(250);
    expect(
      telemetry.series("telltale_publish_total").map(({ labels, value }) => [labels.lane, value]),
    ).toEqual([
      ["bare", 1],
      ["inbox", 1],
    ]);
  });
});
