import { describe, expect, test } from "bun:test";
import { InMemoryInbox } from "../../../src/adapters/memory/in-memory-inbox.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";
import { ingesting } from "./ingesting-inbox.ts";

describe("INB-8: an entry that is a terminal event and breaks a rule", () => {
  const said = (events: Record<string, unknown>[]) =>
    events.map(({ event_type, error_code, message }) => error_code ?? message ?? event_type);

  test("ends the wait at its place, is one dead letter, and is gone", async () => {
    const { taker, add, addTo, channel, kept, deadLetters, left, pass } = ingesting();
    const analysis_id = analysisIdOf(channel);
    addTo(channel, "before");
    add(resultUpdate({ analysis_id, confidence_score: "NaN" }));
    addTo(channel, "between");
    add(JSON.stringify(resultUpdate({ analysis_id, confidence_score: 0.5 })).replace("0.5", "NaN"));
    addTo(channel, "after");
    taker().start();
    await pass(250);
    expect(said(await kept())).toEqual(["before", "event_refused", "between", "event_refused", "after"]);
    expect(deadLetters()).toEqual([
      [channel, "invalid: confidence_score: must be a number from 0 to 1"],
      ["telltale:inbox", "not_json: event: must be JSON"],
    ]);
    expect(left()).toBe(0);
  });

  test("also if it is too large, or in a field of another name, as long as its analysis can be read", async () => {
    const { taker, add, worker, channel, kept, deadLetters, left, pass } = ingesting();
    const analysis_id = analysisIdOf(channel);
    add({ analysis_id, ...resultUpdate({ pad: "x".repeat(1 << 20) }) });
    worker.add(["payload", JSON.stringify(errorEvent({ analysis_id }))]);
    add({ ...errorEvent(), pad: "x".repeat(1 << 20), analysis_id });
    add(errorEvent({ error_code: "" }));
    taker().start();
    await pass(250);
    expect((await kept()).map(({ error_details }) => error_details.event_type)).toEqual([
      "result_update",
      "error",
      "error",
    ]);
    expect([deadLetters().length, left()]).toEqual([4, 0]);
  });

  test("also if its type, its analysis and its attempt come behind a large field", async () => {
    const { taker, add, addTo, worker, channel, kept, deadLetters, left, pass } = ingesting();
    const analysis_id = analysisIdOf(channel);
    const pad = "x".repeat(1_100_000);
    addTo(channel, "first", { attempt_id: "a" });
    addTo(channel, "second", { attempt_id: "b" });
    add({ pad, ...resultUpdate({ attempt_id: "a" }), analysis_id });
    add({
      event_type: "result_update",
      regions: [{ event_type: "error", pad }],
      analysis_id,
      attempt_id: "b",
    });
    worker.add(["payload", JSON.stringify({ pad: pad.slice(0, 200_000), ...errorEvent({ analysis_id }) })]);
    add({ pad, regions: [{ ...errorEvent(), analysis_id }] });
    taker().start();
    await pass(250);
    expect(said(await kept())).toEqual(["first", "second", "event_refused", "event_refused"]);
    expect((await kept())[2]).toMatchObject({
      attempt_id: "b",
      error_details: { event_type: "result_update" },
    });
    expect([deadLetters().length, left()]).toEqual([4, 0]);
  });

  test("ends nothing if its attempt is over", async () => {
    const { taker, add, addTo, channel, kept, deadLetters, left, pass } = ingesting();
    const analysis_id = analysisIdOf(channel);
    addTo(channel, "first", { attempt_id: "a" });
    addTo(channel, "second", { attempt_id: "b" });
    add(errorEvent({ analysis_id, attempt_id: "a", error_code: "" }));
    addTo(channel, "third", { attempt_id: "b" });
    taker().start();
    await pass(250);
    expect(said(await kept())).toEqual(["first", "second", "third"]);
    expect(deadLetters()).toEqual([[channel, "invalid: error_code: must be text that is not blank"]]);
    expect(left()).toBe(0);
  });

  test("is stored and kept once if its taker dies between the two, or two take at once", async () => {
    const { taker, add, addTo, channel, pubSub, kept, deadLetters, left, broker, clock, pass } = ingesting();
    add(errorEvent({ analysis_id: analysisIdOf(channel), error_code: "" }));
    addTo(channel, "after");
    pubSub.holdsCalls = true;
    taker(new InMemoryInbox({ broker, clock })).start();
    await turn();
    // The end is stored; then its taker is never heard of again.
    await pubSub.proceed();
    pubSub.holdsCalls = false;
    for (let n = 0; n < 2; n++) taker(new InMemoryInbox({ broker, clock, node: "same" })).start();
    await pass(5_000);
    expect(said(await kept())).toEqual(["event_refused", "after"]);
    expect([deadLetters().length, left()]).toEqual([1, 0]);
  });
});

describe("INB-9: the id of an entry", () => {
  const DAY = 86_400_000;

  test.each<[string, (now: number) => number, boolean]>([
    ["is a number of the worker's own", () => 5, false],
    ["is in seconds", (now) => Math.floor(now / 1000), false],
    ["is of 1999", () => Date.UTC(1999, 11, 31, 23, 59, 59), false],
    ["is of 2000", () => Date.UTC(2000, 0, 1), true],
    ["is a minute ahead", (now) => now + 60_000, true],
    ["is two days ahead", (now) => now + 2 * DAY, false],
    ["is in microseconds", (now) => now * 1000, false],
    ["is beyond all times", () => 2 ** 62, false],
  ])("that %s", async (_, idOf, isTime) => {
    const { taker, channel, clock, kept, broker, pass } = ingesting();
    const id = idOf(clock.now());
    const event = JSON.stringify(statusUpdate({ analysis_id: analysisIdOf(channel) }));
    broker.inbox.add({ fields: [["event", event]] }, id);
    const taken = clock.now();
    taker().start();
    await turn();
    const [stored] = await kept();
    expect(stored.timestamp).toBe(new Date(isTime ? id : taken).toISOString());
    await pass(250);
  });
});
