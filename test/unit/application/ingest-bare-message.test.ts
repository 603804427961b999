import { describe, expect, test } from "bun:test";
import { IngestBareMessage } from "../../../src/application/ingest-bare-message.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";
import { ingesting } from "./ingesting.ts";

describe("IngestBareMessage", () => {
  test("PUB-13: a worker's event is validated, numbered and kept in the order heard", async () => {
    const { hear, kept, count } = ingesting();
    for (let step = 1; step <= 600; step++) hear(statusUpdate({ message: `step ${step}`, extra: step }));
    await turn();
    const events = await kept();
    expect(events.map(({ message }) => message)).toEqual(
      Array.from({ length: 600 }, (_, index) => `step ${index + 1}`),
    );
    expect(events[0].event_id).toMatch(/^[0-9a-z]+-1$/);
    expect(events[0].timestamp).toMatch(/Z$/);
    expect(count("bare_events_adopted")).toBe(600);
  });

  test("PUB-14: the same bytes within a minute of the first are one event, and later another", async () => {
    const { hear, messages, clock, count } = ingesting();
    const body = JSON.stringify(statusUpdate({ message: "same" }));
    hear(body);
    hear(body);
    await turn();
    clock.advance(59_000);
    hear(body);
    await turn();
    expect(await messages()).toEqual(["same"]);
    expect(count("bare_events_seen")).toBe(2);
    clock.advance(2_000);
    hear(body);
    await turn();
    expect(await messages()).toEqual(["same", "same"]);
  });

  test("PUB-14: the same bytes after something else are an event of their own, also when two gateways heard them", async () => {
    const { ingest, elsewhere, workers, deadLetters, clock, telemetry, channel, heard, kept } = ingesting();
    const other = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    const stage = (name: string) => statusUpdate({ current_stage: name });
    const fault = errorEvent();
    for (const body of [stage("initializing"), fault, stage("initializing"), stage("uploading"), fault]) {
      const message = heard.next(channel, JSON.stringify(body));
      for (const gateway of [ingest, other]) gateway.execute(message);
      await turn();
    }
    const shown = (await kept()).map((event) => event.current_stage ?? event.event_type);
    expect(shown).toEqual(["initializing", "error", "initializing", "uploading", "error"]);
  });

  test("PUB-14: a message in between that could not be stored makes the same bytes another event as well", async () => {
    const { hear, messages, broker } = ingesting();
    const body = JSON.stringify(statusUpdate({ message: "same" }));
    for (const payload of [body, "{oops", body, body]) hear(payload);
    await turn();
    expect(await messages()).toEqual(["same", "same"]);
    expect(broker.deadLetters).toHaveLength(1);
  });

  test("IDN-2: an event that was refused stays so for the other gateways, when the analysis has moved on as well", async () => {
    const { ingest, elsewhere, workers, deadLetters, clock, telemetry, channel, heard, kept, broker } =
      ingesting();
    const other = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    const say = (body: unknown) => heard.next(channel, JSON.stringify(body));
    ingest.execute(say(resultUpdate({ attempt_id: "a" })));
    const late = say(statusUpdate({ attempt_id: "a", message: "late" }));
    ingest.execute(late);
    ingest.execute(say(statusUpdate({ attempt_id: "b", message: "next" })));
    ingest.execute(say(resultUpdate({ attempt_id: "b" })));
    await turn();
    other.execute({ ...late });
    await turn();
    expect(await kept()).toHaveLength(3);
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual(["attempt_ended"]);
  });

  test("PUB-14: heard by two gateways, an event is one event", async () => {
    const { ingest, elsewhere, workers, deadLetters, clock, telemetry, channel, messages, heard } =
      ingesting();
    const other = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    for (let step = 1; step <= 50; step++) {
      const payload = JSON.stringify(statusUpdate({ message: `${step}` }));
      const message = heard.next(channel, payload);
      for (const gateway of step % 2 ? [ingest, other] : [other, ingest]) gateway.execute({ ...message });
    }
    await turn();
    expect(await messages()).toEqual(Array.from({ length: 50 }, (_, index) => `${index + 1}`));
  });

  test("a channel in capital letters is the same analysis", async () => {
    const { hear, channel, messages } = ingesting();
    hear(statusUpdate(), channel.toUpperCase().replace("ANALYSIS:", "analysis:"));
    await turn();
    expect(await messages()).toHaveLength(1);
  });

  test("NOT-6: a notice that a worker published is ingested alike", async () => {
    const { hear, elsewhere } = ingesting();
    hear({ message: "for you" }, "user:alice");
    hear({ message: "for all" }, "system:updates");
    await turn();
    for (const channel of ["user:alice", "system:updates"] as const)
      expect((await elsewhere.history(channel, undefined, 10)).events).toHaveLength(1);
  });

  test.each([
    ["not JSON", "{oops", "not_json"],
    ["a field against the rules", JSON.stringify(statusUpdate({ progress: 7 })), "invalid: progress"],
    ["no object", "42", "invalid: event"],
    ["a value of NaN", '{"event_type":"status_update","progress":NaN}', "not_json"],
    ["more than a mebibyte", JSON.stringify(statusUpdate({ pad: "x".repeat(1 << 20) })), "too_large"],
  ])("PUB-4: %s becomes one dead letter, and nothing is stored", async (_, payload, reason) => {
    const { hear, broker, channel, messages, count, telemetry } = ingesting();
    hear(payload);
    await turn();
    expect(broker.deadLetters).toHaveLength(1);
    expect(broker.deadLetters[0]).toMatchObject({ channel, payload: payload.slice(0, 64 * 1024) });
    expect(broker.deadLetters[0]?.reason.slice(0, reason.length)).toBe(reason);
    expect(await messages()).toEqual([]);
    expect(count("dead_letters")).toBe(1);
    expect(telemetry.logs.map(({ level }) => level)).toEqual(["warn"]);
  });

  test("PUB-4: so does a message that is no UTF-8, whatever may be read into it", async () => {
    const { hear, broker, channel, messages } = ingesting();
    hear(statusUpdate({ message: "\ufffd" }), channel, { garbled: true });
    await turn();
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual(["not_json: event: must be UTF-8"]);
    expect(await messages()).toEqual([]);
  });

  test("PUB-4: so does an event for a channel that is none", async () => {
    const { hear, broker } = ingesting();
    hear(statusUpdate(), "analysis:not-a-uuid");
    await turn();
    expect(broker.deadLetters.map(({ channel }) => channel)).toEqual(["analysis:not-a-uuid"]);
  });

  test("PUB-4: so does an event that its attempt may no longer send", async () => {
    const { hear, broker, kept } = ingesting();
    hear(resultUpdate({ attempt_id: "a" }));
    hear(statusUpdate({ attempt_id: "a" }));
    await turn();
    expect(await kept()).toHaveLength(1);
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual(["attempt_ended"]);
  });

  test("PUB-4: and the reason says what a channel is named by", async () => {
    const { hear, broker } = ingesting();
    hear(statusUpdate(), "analysis:job-42");
    hear({ message: "m" }, "user: ");
    hear({ message: "m" }, "weather");
    await turn();
    expect(broker.deadLetters.map(({ reason }) => reason)).toEqual([
      "channel: an analysis id is a UUID",
      "channel: a user id is text of 1 to 256 bytes that is not blank",
      "channel: names no analysis or user",
    ]);
  });

  test("PUB-4: two gateways that hear the same fault keep one dead letter", async () => {
    const { ingest, elsewhere, workers, deadLetters, clock, telemetry, channel, broker, heard } = ingesting();
    const other = new IngestBareMessage(elsewhere, workers, deadLetters, clock, telemetry);
    const message = heard.next(channel, "{oops");
    for (const gateway of [ingest, other]) gateway.execute(message);
    await turn();
    expect(broker.deadLetters).toHaveLength(1);
  });

  test("a fault nobody expected loses that event alone, counted, and is never thrown", async () => {
    const { hear, pubSub, messages, count, telemetry } = ingesting();
    let calls = 0;
    pubSub.fault = () => (++calls === 2 ? new Error("a bug") : undefined);
    for (const message of ["1", "2", "3"]) hear(statusUpdate({ message }));
    await turn();
    expect(await messages()).toEqual(["1", "3"]);
    expect(count("bare_events_lost")).toBe(1);
    expect(telemetry.logs.findLast(({ level }) => level !== "debug")?.fields).toMatchObject({
      reason: "a fault: a bug",
    });
  });
});
