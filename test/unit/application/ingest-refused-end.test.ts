import { describe, expect, test } from "bun:test";
import { ClaimsAndViewers } from "../../../src/application/access-policy.ts";
import { FairQueue } from "../../../src/application/fair-queue.ts";
import { IngestBareMessage } from "../../../src/application/ingest-bare-message.ts";
import { ReadAnalysis } from "../../../src/application/read-analysis.ts";
import { RepublishDeadLetter } from "../../../src/application/republish-dead-letter.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { ListedDeadLetters } from "../../support/listed-dead-letters.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";
import { ingesting, RETRY } from "./ingesting.ts";

const NAN = JSON.stringify(resultUpdate({ confidence_score: "NaN" })).replace('"NaN"', "NaN");

describe("EV-18: a terminal event that a worker published and that breaks a rule", () => {
  /** Codes of errors, else messages, in order. */
  const said = (events: Record<string, unknown>[]) =>
    events.map(({ event_type, error_code, message }) => error_code ?? message ?? event_type);

  test("ends the wait at its place, and is a dead letter as any other", async () => {
    const { hear, kept, broker, count } = ingesting();
    hear(statusUpdate({ message: "before" }));
    hear(NAN);
    hear(statusUpdate({ message: "after" }));
    await turn();
    expect(said(await kept())).toEqual(["before", "event_refused", "after"]);
    expect(broker.deadLetters.map(({ payload, reason }) => [payload, reason])).toEqual([
      [NAN, "not_json: event: must be JSON"],
    ]);
    expect(count("dead_letters")).toBe(1);
  });

  test("makes the state failed", async () => {
    const { hear, channel, pubSub, clock } = ingesting();
    hear(statusUpdate());
    hear(resultUpdate({ frames_processed: -1 }));
    await turn();
    const read = new ReadAnalysis(
      pubSub,
      new FairQueue(clock, { perUser: 1, total: 1, begun: 1 }),
      new ClaimsAndViewers("allow"),
      60_000,
    );
    expect(
      await read.execute({
        analysisId: analysisIdOf(channel),
        grant: someGrant(),
        abandoned: new AbortController().signal,
      }),
    ).toMatchObject({
      state: { status: "failed", error: { error_code: "event_refused" } },
    });
  });

  test("is one error however many gateways heard it, and so is its retry", async () => {
    const { ingest, elsewhere, workers, deadLetters, clock, telemetry, channel, heard, kept, broker } =
      ingesting();
    const other = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    const both = [ingest, other];
    const [first, again] = [heard.next(channel, NAN), heard.next(channel, NAN)];
    for (const gateway of both) gateway.execute(first);
    await turn();
    for (const gateway of both.toReversed()) gateway.execute(again);
    await turn();
    expect(said(await kept())).toEqual(["event_refused"]);
    expect(broker.deadLetters).toHaveLength(1);
  });

  test("ends the wait again if the same bytes come after something else, within the minute too", async () => {
    const { ingest, elsewhere, workers, deadLetters, clock, telemetry, channel, heard, kept, broker } =
      ingesting();
    const both = [ingest, new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry)];
    const status = JSON.stringify(statusUpdate({ message: "retry" }));
    for (const text of [NAN, status, NAN, NAN]) {
      const message = heard.next(channel, text);
      for (const gateway of both) gateway.execute(message);
      await turn();
    }
    expect(said(await kept())).toEqual(["event_refused", "retry", "event_refused"]);
    // Operators read dead letters, so the same bytes within a minute are one.
    expect(broker.deadLetters).toHaveLength(1);
  });

  test("is stored when the broker is back, in its order, and is one dead letter", async () => {
    const { hear, pubSub, kept, broker, pass } = ingesting();
    pubSub.goesAway();
    hear(statusUpdate({ message: "before" }));
    hear(NAN);
    hear(statusUpdate({ message: "after" }));
    await pass(5 * RETRY);
    pubSub.comesBack();
    await pass(5 * RETRY);
    expect(said(await kept())).toEqual(["before", "event_refused", "after"]);
    expect(broker.deadLetters).toHaveLength(1);
  });

  test("ends nothing if its attempt is over, and is a dead letter alone", async () => {
    const { hear, kept, broker } = ingesting();
    hear(statusUpdate({ attempt_id: "a", message: "first" }));
    hear(statusUpdate({ attempt_id: "b", message: "second" }));
    hear(resultUpdate({ attempt_id: "a", is_fake: "yes" }));
    hear(resultUpdate({ attempt_id: "b" }));
    hear(errorEvent({ attempt_id: "b", error_code: "" }));
    await turn();
    expect(said(await kept())).toEqual(["first", "second", "result_update"]);
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual([
      "invalid: is_fake: must be true or false",
      "invalid: error_code: must be text that is not blank",
    ]);
  });

  test("ends its own attempt", async () => {
    const { hear, kept, broker } = ingesting();
    hear(statusUpdate({ attempt_id: "a", message: "working" }));
    hear(errorEvent({ attempt_id: "a", error_code: "" }));
    hear(statusUpdate({ attempt_id: "a", message: "a stray" }));
    await turn();
    expect(said(await kept())).toEqual(["working", "event_refused"]);
    expect((await kept())[1]).toMatchObject({ attempt_id: "a" });
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual([
      "invalid: error_code: must be text that is not blank",
      "attempt_ended",
    ]);
  });

  test("no refusal by attempt becomes an error", async () => {
    const { hear, kept, broker } = ingesting();
    hear(resultUpdate({ attempt_id: "a" }));
    hear(errorEvent({ attempt_id: "a" }));
    await turn();
    expect(said(await kept())).toEqual(["result_update"]);
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual(["attempt_ended"]);
  });

  test("that is no UTF-8 ends the wait as well", async () => {
    const { hear, channel, kept, broker } = ingesting();
    hear(errorEvent({ error_message: "caf\ufffd" }), channel, { garbled: true });
    await turn();
    expect(said(await kept())).toEqual(["event_refused"]);
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual(["not_json: event: must be UTF-8"]);
  });

  test("that is too large ends the wait as well", async () => {
    const { hear, kept } = ingesting();
    hear(resultUpdate({ note: "x".repeat(1 << 20), attempt_id: "a" }));
    await turn();
    expect(await kept()).toMatchObject([{ error_code: "event_refused", attempt_id: "a" }]);
  });

  test("that is too large to be read whole ends the wait by its last part", async () => {
    const { hear, kept } = ingesting();
    hear({ regions: "x".repeat(4_300_000), ...resultUpdate({ attempt_id: "a" }) });
    await turn();
    expect(await kept()).toMatchObject([{ error_code: "event_refused", attempt_id: "a" }]);
  });

  test("on a channel that is none ends nothing", async () => {
    const { hear, broker } = ingesting();
    hear(errorEvent({ error_code: "" }), "analysis:job-42");
    hear({ event_type: "error" }, "user:alice");
    await turn();
    expect(broker.deadLetters).toHaveLength(2);
  });

  test("DL-3: a dead letter that was mended and published again is an event as any other", async () => {
    const { hear, kept, broker, pubSub, channel } = ingesting();
    hear(errorEvent({ error_code: "" }));
    await turn();
    const reason = broker.deadLetters[0]?.reason ?? "";
    const payload = JSON.stringify(errorEvent({ error_code: "mended" }));
    const deadLetter = { id: "1-0", channel, payload, reason, at: "2026-11-27T10:00:00Z" };
    await new RepublishDeadLetter(new ListedDeadLetters(), pubSub).execute(deadLetter);
    expect(said(await kept())).toEqual(["event_refused", "mended"]);
  });
});
