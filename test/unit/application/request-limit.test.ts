import { describe, expect, test } from "bun:test";
import { InMemoryInbox } from "../../../src/adapters/memory/in-memory-inbox.ts";
import { RequestTooLarge } from "../../../src/application/errors.ts";
import { RepublishDeadLetter } from "../../../src/application/republish-dead-letter.ts";
import { WatchRequestLimit } from "../../../src/application/watch-request-limit.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { ListedDeadLetters } from "../../support/listed-dead-letters.ts";
import { resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";
import { ingesting } from "./ingesting.ts";
import { ingesting as ingestingInbox } from "./ingesting-inbox.ts";

const LIMIT = { mostBytes: 2_000 };
const TOO_LARGE = "too_large: event: must be at most 2000 bytes";
const large = "x".repeat(3_000);
const said = (events: Record<string, unknown>[]) =>
  events.map(({ error_code, message }) => error_code ?? message);

describe("INB-11: an event that is larger than the broker takes", () => {
  test("is a dead letter if it was published bare, ends the wait if it was an end, and holds nothing up", async () => {
    const { hear, kept, broker, pubSub } = ingesting(LIMIT);
    hear(statusUpdate({ message: "before" }));
    hear(statusUpdate({ message: large }));
    hear(resultUpdate({ pad: large }));
    hear(statusUpdate({ message: "after" }));
    await turn();
    expect(said(await kept())).toEqual(["before", "event_refused", "after"]);
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual([TOO_LARGE, TOO_LARGE]);
    expect(pubSub.countOf("append")).toBe(3);
  });

  test("is a dead letter if it was added to the inbox, ends the wait at its place, and holds nothing up", async () => {
    const { taker, add, addOn, channel, kept, deadLetters, left, pass } = ingestingInbox(LIMIT);
    const analysis_id = analysisIdOf(channel);
    add(statusUpdate({ analysis_id, message: "before" }));
    add(statusUpdate({ analysis_id, message: large }));
    add(resultUpdate({ analysis_id, pad: large }));
    addOn(channel, resultUpdate({ pad: large }));
    add(statusUpdate({ analysis_id, message: "after" }));
    taker().start();
    await pass(250);
    expect(said(await kept())).toEqual(["before", "event_refused", "event_refused", "after"]);
    expect(deadLetters().map(([, reason]) => reason)).toEqual([TOO_LARGE, TOO_LARGE, TOO_LARGE]);
    expect(left()).toBe(0);
  });

  test("is a dead letter also if only the broker finds that it is", async () => {
    const bare = ingesting();
    bare.pubSub.fault = () => new RequestTooLarge(2_000);
    bare.hear(statusUpdate());
    await turn();
    expect(bare.broker.deadLetters.map(({ reason }) => reason)).toEqual([TOO_LARGE]);
    const inbox = ingestingInbox();
    inbox.pubSub.fault = () => new RequestTooLarge(2_000);
    inbox.addTo(inbox.channel, "1");
    inbox.taker(new InMemoryInbox(inbox)).start();
    await inbox.pass(250);
    expect([inbox.deadLetters(), inbox.left()]).toEqual([[[inbox.channel, TOO_LARGE]], 0]);
    expect(inbox.pubSub.countOf("append")).toBe(1);
  });

  test("stays a dead letter if it is published again", async () => {
    const { channel, pubSub } = ingesting(LIMIT);
    const deadLetter = {
      id: "1-0",
      channel,
      payload: JSON.stringify(statusUpdate({ message: large })),
      reason: "invalid",
      at: "2026-11-27T10:00:00Z",
    };
    const outcome = await new RepublishDeadLetter(new ListedDeadLetters(), pubSub).execute(deadLetter);
    expect(outcome).toEqual({ type: "kept", reason: TOO_LARGE });
  });
});

describe("WatchRequestLimit", () => {
  test("warns of a limit below 1 MiB, in the log once for each, and not of 1 MiB", () => {
    const telemetry = new CollectingTelemetry();
    const pubSub = { mostBytes: 1 << 20 };
    const watch = new WatchRequestLimit(pubSub, telemetry);
    watch.execute();
    expect([watch.warning, telemetry.logs]).toEqual([undefined, []]);
    for (const mostBytes of [960_000, 960_000, 1_000, 1 << 20]) {
      pubSub.mostBytes = mostBytes;
      watch.execute();
    }
    expect(watch.warning).toBeUndefined();
    expect(telemetry.logs.map(({ level, message }) => [level, message])).toEqual([
      ["warn", expect.stringContaining("at most 960000 bytes")],
      ["warn", expect.stringContaining("at most 1000 bytes")],
      ["info", expect.stringContaining("1 MiB")],
    ]);
  });
});
