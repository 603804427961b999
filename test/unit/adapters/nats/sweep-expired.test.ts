import { expect, test } from "bun:test";
import { subjectsOf } from "../../../../src/adapters/nats/subjects.ts";
import { sweepExpired } from "../../../../src/adapters/nats/sweep-expired.ts";
import { SimulatedNats, SimulatedStream } from "../../../model/nats-server.ts";

const TTL_MS = 100_000;
const LONG_AFTER_MS = 200_000;

function setUp() {
  const nats = new SimulatedNats();
  const stream = new SimulatedStream(nats, 0, true);
  const lasts = new Map<string, number>();
  const store = (subject: string) => {
    const answer = nats.store({ subject, text: "", expected: lasts.get(subject) ?? 0, deadline: 0 });
    if (answer.type === "stored") lasts.set(subject, answer.sequence);
  };
  return { nats, stream, store, subjects: () => nats.messages.map(({ subject }) => subject) };
}

test("PS-23 sweepExpired() removes all of a channel that has expired, and nothing of one that lives", async () => {
  const { nats, stream, store, subjects } = setUp();
  const [dead, alive] = [subjectsOf("analysis:dead"), subjectsOf("analysis:alive")];
  for (const { events, viewers, copies } of [dead, alive]) {
    for (const subject of [viewers, copies.course, events, events]) store(subject);
  }
  store("telltale.log.trial");
  nats.pass(LONG_AFTER_MS);
  store(alive.events);
  expect(await sweepExpired(stream, TTL_MS, 1, 100)).toBe(1);
  expect(subjects()).toEqual([
    ...[alive.viewers, alive.copies.course, alive.events, alive.events],
    ...["telltale.log.trial", alive.events],
  ]);
});

test("sweepExpired() goes on where it stopped, and begins anew at messages that are young", async () => {
  const { nats, stream, store, subjects } = setUp();
  for (let n = 0; n < 10; n++) store(subjectsOf(`analysis:${n}`).events);
  nats.pass(LONG_AFTER_MS);
  const next = await sweepExpired(stream, TTL_MS, 1, 4);
  expect(subjects()).toHaveLength(6);
  store(subjectsOf("analysis:young").events);
  expect(await sweepExpired(stream, TTL_MS, next, 100)).toBe(1);
  expect(subjects()).toEqual([subjectsOf("analysis:young").events]);
});
