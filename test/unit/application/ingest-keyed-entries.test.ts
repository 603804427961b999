import { expect, test } from "bun:test";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { ingesting } from "./ingesting-inbox.ts";

function keyed(...given: Parameters<typeof ingesting>) {
  const bench = ingesting(...given);
  const analysis_id = analysisIdOf(bench.channel);
  const add = (key: string, event: object) =>
    bench.worker.add(["event", JSON.stringify({ ...event, analysis_id })], ["idempotency_key", key]);
  return { ...bench, add };
}

test("INB-13: an entry that a worker adds again with its key counts once, in one batch or in another", async () => {
  const { taker, add, messages, left, deadLetters, pass } = keyed();
  const one = statusUpdate({ message: "one", attempt_id: "a" });
  const end = statusUpdate({ message: "two", current_stage: "failed", attempt_id: "a" });
  add("1", one);
  add("1", one);
  add("2", end);
  taker().start();
  await pass(250);
  add("2", end);
  await pass(2_000);
  expect(await messages()).toEqual(["one", "two"]);
  expect([left(), deadLetters()]).toEqual([0, []]);
});

test("INB-13: entries without a key, of another, or with an empty one are events of their own", async () => {
  const { taker, add, addTo, channel, messages, pass } = keyed();
  const same = statusUpdate({ message: "x" });
  for (const key of ["1", "2", "", ""]) add(key, same);
  addTo(channel, "x");
  taker().start();
  await pass(250);
  expect(await messages()).toEqual(["x", "x", "x", "x", "x"]);
});

test("INB-13: a key counts for five minutes", async () => {
  const { taker, add, messages, pass } = keyed();
  taker().start();
  for (const wait of [299_000, 2_000, 0]) {
    add("1", statusUpdate({ message: "x" }));
    await pass(250);
    await pass(wait);
  }
  expect(await messages()).toEqual(["x", "x"]);
});

test("INB-13: a refused entry that was added again is one dead letter, and one end in its place", async () => {
  const { taker, add, kept, deadLetters, left, pass } = keyed();
  const [status, end] = [statusUpdate({ progress: 7 }), resultUpdate({ confidence_score: 7 })];
  for (const [key, event] of [
    ["1", status],
    ["1", status],
    ["2", end],
    ["2", end],
  ] as const)
    add(key, event);
  taker().start();
  await pass(250);
  expect((await kept()).map(({ error_code }) => error_code)).toEqual(["event_refused"]);
  expect([deadLetters().length, left()]).toEqual([2, 0]);
});

test("INB-13: another event with the key of a refused one is a dead letter of its own", async () => {
  const { taker, add, deadLetters, pass } = keyed();
  add("1", statusUpdate({ progress: 7 }));
  add("1", statusUpdate({ progress: 8 }));
  taker().start();
  await pass(250);
  expect(deadLetters()).toHaveLength(2);
});
