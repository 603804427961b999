import { describe, expect, test } from "bun:test";
import { MarkedCounter } from "../../../../src/adapters/redis/marked-counter.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { turn } from "../../../support/turn.ts";

function marking() {
  const clock = new ManualClock();
  const published: string[] = [];
  const broker = { fault: undefined as Error | undefined };
  const counter = new MarkedCounter({
    clock,
    telemetry: new CollectingTelemetry(),
    publish: async (name) => {
      published.push(name);
      if (broker.fault) throw broker.fault;
    },
  });
  const hearMark = (time: number) =>
    counter.heardProbe(`mark server.${time}.${published.at(-1) ?? "theirs"}`);
  const isShared = () => counter.heard("x", new TextEncoder().encode("a"), 0).since === undefined;
  return { clock, published, broker, counter, hearMark, isShared };
}

describe("MarkedCounter", () => {
  test("IDN-5: the counter publishes a mark as soon as it listens, and counts as all do once it hears it", () => {
    const { published, counter, hearMark, isShared } = marking();
    expect(published).toEqual([]);
    counter.listens();
    expect([published.length, isShared()]).toEqual([1, false]);
    hearMark(1);
    expect(isShared()).toBe(true);
    counter.connected();
    expect(isShared()).toBe(false);
  });

  test("IDN-5: while Redis takes no mark the counter tries again, twice a second", async () => {
    const { clock, published, broker, counter } = marking();
    broker.fault = new Error("away");
    counter.listens();
    for (let passed = 0; passed < 2_000; passed += 500) {
      await turn();
      clock.advance(500);
    }
    expect(published).toHaveLength(5);
    expect(new Set(published).size).toBe(5);
  });

  test("IDN-8: the counter publishes the next mark ten seconds after the last of any gateway", async () => {
    const { clock, published, counter, hearMark } = marking();
    counter.listens();
    hearMark(1);
    await turn();
    clock.advance(9_000);
    counter.heardProbe("mark server.2.theirs");
    clock.advance(9_500);
    expect(published).toHaveLength(1);
    clock.advance(500);
    expect(published).toHaveLength(2);
  });

  test("the counter takes no probe, greeting or unreadable mark for a mark", () => {
    const { counter, isShared } = marking();
    counter.listens();
    for (const text of ["hello", "node 1 1700000000000", "mark ", "mark server", "mark ~x.1.y", "mark a.b.c"])
      counter.heardProbe(text);
    expect(isShared()).toBe(false);
  });

  test("the counter publishes no mark while it does not listen, nor after it was closed", () => {
    const { clock, published, counter } = marking();
    clock.advance(30_000);
    counter.listens();
    counter.lost();
    clock.advance(30_000);
    counter.close();
    clock.advance(30_000);
    expect(published).toHaveLength(1);
  });
});
