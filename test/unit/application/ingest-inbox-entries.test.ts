import { describe, expect, test } from "bun:test";
import { InMemoryInbox } from "../../../src/adapters/memory/in-memory-inbox.ts";
import { NewerFormat, OutcomeUnknown } from "../../../src/application/errors.ts";
import { INBOX_RETRY_MS } from "../../../src/application/ingest-inbox-entries.ts";
import type { InboxPort, Taken } from "../../../src/application/ports/inbox-port.ts";
import { WatchInbox } from "../../../src/application/watch-inbox.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { resultUpdate, statusUpdate } from "../../support/publishing.ts";
import { turn } from "../../support/turn.ts";
import { ingesting } from "./ingesting-inbox.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}`);

describe("IngestInboxEntries", () => {
  test("INB-1: entries added while nobody took are stored in order, per analysis, and are gone then", async () => {
    const { taker, addTo, channel, messages, left, pass } = ingesting();
    const other = someAnalysis();
    for (const step of numbers(700)) {
      addTo(channel, step);
      addTo(other, step);
    }
    const ingest = taker();
    ingest.start();
    await pass(500);
    expect([await messages(), await messages(other), left()]).toEqual([numbers(700), numbers(700), 0]);
    addTo(channel, "live");
    await turn();
    expect((await messages()).at(-1)).toBe("live");
    await ingest.stop();
  });

  test("INB-1: every entry is an event of its own, though it says the same", async () => {
    const { taker, addTo, channel, messages, pass } = ingesting();
    for (let n = 0; n < 3; n++) addTo(channel, "same");
    taker().start();
    await pass(250);
    expect(await messages()).toEqual(["same", "same", "same"]);
  });

  test("INB-1: an entry that was stored and not removed, because its taker died, is removed and not stored again", async () => {
    const { taker, addTo, channel, messages, broker, clock, left, count, pass } = ingesting();
    const dying = new InMemoryInbox({ broker, clock });
    const dies = new Proxy<InboxPort>(dying, {
      get: (target, name) =>
        name === "remove" ? () => new Promise(() => {}) : Reflect.get(target, name).bind(target),
    });
    for (const step of numbers(10)) addTo(channel, step);
    taker(dies).start();
    await turn();
    expect([await messages(), left()]).toEqual([numbers(10), 10]);
    addTo(channel, "11");
    taker().start();
    await pass(5_000);
    expect([await messages(), left(), count("inbox_entries_seen")]).toEqual([numbers(11), 0, 10]);
  });

  test("INB-2: two that take at once, without any lease, store each entry once and in order", async () => {
    const { taker, addTo, channel, messages, broker, clock, left, pass } = ingesting();
    for (const step of numbers(300)) addTo(channel, step);
    for (let n = 0; n < 2; n++) taker(new InMemoryInbox({ broker, clock, node: "same" })).start();
    await pass(500);
    expect([await messages(), left()]).toEqual([numbers(300), 0]);
  });

  test("INB-2: while one takes, another waits; once it stops, the other goes on", async () => {
    const { taker, addTo, channel, messages, pass } = ingesting();
    const [one, two] = [taker(), taker()];
    one.start();
    await turn();
    two.start();
    addTo(channel, "1");
    await turn();
    await one.stop();
    addTo(channel, "2");
    await pass(1_000);
    expect(await messages()).toEqual(["1", "2"]);
    await two.stop();
  });

  test("INB-3: an entry that is no event becomes a dead letter with its reason, and holds nothing up", async () => {
    const { taker, add, addTo, worker, channel, messages, deadLetters, left, count, pass } = ingesting();
    addTo(channel, "before");
    add("{oops");
    add("[]");
    add("x".repeat(1024 * 1024 + 1));
    add(statusUpdate());
    add(statusUpdate({ analysis_id: "no uuid" }));
    addTo(channel, "bad", { progress: 7 });
    add({ event_type: "notice", message: "hello", analysis_id: analysisIdOf(channel) });
    add({ event_type: "notice", message: "hello" });
    worker.add(["data", "{}"]);
    addTo(channel, "after");
    taker().start();
    await pass(250);
    expect([await messages(), left()]).toEqual([["before", "after"], 0]);
    const expected: [string, string][] = [
      ["telltale:inbox", "not_json: event: must be JSON"],
      ["telltale:inbox", "invalid: event: must be an object"],
      ["telltale:inbox", "too_large: event: must be at most 1048576 bytes"],
      ["telltale:inbox", "invalid: analysis_id: is required"],
      ["telltale:inbox", "invalid: analysis_id: must be a UUID"],
      [channel, "invalid: progress: "],
      [channel, "invalid: event_type: must be one of status_update, result_update, result, error"],
      ["telltale:inbox", "invalid: analysis_id: is required"],
      ["telltale:inbox", "invalid: entry: must have one field event"],
    ];
    const found = deadLetters();
    expect(found).toHaveLength(expected.length);
    for (const [on, reason] of expected) {
      expect(found).toContainEqual([on, expect.stringContaining(reason)]);
    }
    expect(count("dead_letters")).toBe(9);
  });

  test("INB-3: two entries that hold the same are two dead letters; one taken twice is one", async () => {
    const { taker, add, broker, clock, deadLetters, left, pass } = ingesting();
    add("{oops");
    add("{oops");
    for (let n = 0; n < 2; n++) taker(new InMemoryInbox({ broker, clock, node: "same" })).start();
    await pass(250);
    expect([deadLetters().length, left()]).toEqual([2, 0]);
  });

  test("INB-3: an event of an attempt that has ended becomes a dead letter, and those behind it are stored", async () => {
    const { taker, add, addTo, channel, messages, deadLetters, left, pass } = ingesting();
    const analysis_id = analysisIdOf(channel);
    addTo(channel, "1", { attempt_id: "a" });
    add(resultUpdate({ analysis_id, attempt_id: "a" }));
    addTo(channel, "late", { attempt_id: "a" });
    addTo(channel, "2", { attempt_id: "b" });
    addTo(channel, "old", { attempt_id: "a" });
    addTo(channel, "3");
    taker().start();
    await pass(250);
    expect([await messages(), left()]).toEqual([["1", undefined, "2", "3"], 0]);
    expect(deadLetters()).toEqual([
      [channel, "attempt_ended"],
      [channel, "attempt_superseded"],
    ]);
  });

  test("INB-3: a refused entry is a dead letter before anything behind it is stored, so that no death loses it", async () => {
    const { taker, add, addTo, channel, pubSub, messages, deadLetters, broker, clock, pass } = ingesting();
    add(resultUpdate({ analysis_id: analysisIdOf(channel), attempt_id: "a" }));
    addTo(channel, "between");
    addTo(channel, "late", { attempt_id: "a" });
    addTo(channel, "next");
    pubSub.holdsCalls = true;
    taker(new InMemoryInbox({ broker, clock })).start();
    await turn();
    // Two are stored, the late event is refused; then its taker is never heard of again.
    for (let stage = 0; stage < 5; stage++) await pubSub.proceed();
    expect([await messages(), deadLetters()]).toEqual([[undefined, "between"], []]);
    pubSub.holdsCalls = false;
    taker().start();
    await pass(5_000);
    expect([await messages(), deadLetters()]).toEqual([
      [undefined, "between", "next"],
      [[channel, "attempt_ended"]],
    ]);
  });

  test("INB-3: an entry whose channel is at fault at the broker becomes a dead letter, and the others go on", async () => {
    const { taker, addTo, channel, pubSub, messages, deadLetters, left, pass } = ingesting();
    const broken = someAnalysis();
    pubSub.fault = (call) => (call.channel === broken ? new Error("WRONGTYPE") : undefined);
    addTo(broken, "1");
    addTo(channel, "2");
    taker().start();
    await pass(250);
    expect([await messages(), deadLetters(), left()]).toEqual([["2"], [[broken, "fault: WRONGTYPE"]], 0]);
  });

  test("INB-4: an event without a timestamp bears the time at which it was added", async () => {
    const { taker, addTo, channel, clock, kept, pass } = ingesting();
    const addedAt = new Date(clock.now()).toISOString();
    addTo(channel, "old");
    addTo(channel, "dated", { timestamp: "2026-11-24 03:27:22.785846+00:00" });
    clock.advance(86_400_000);
    taker().start();
    await pass(250);
    expect((await kept()).map(({ timestamp }) => timestamp)).toEqual([
      addedAt,
      "2026-11-24T03:27:22.785846Z",
    ]);
  });

  test.each([
    ["refuses", () => undefined, "warn"],
    // The connection that noticed that the broker is away has told operators already.
    ["does not answer", () => new OutcomeUnknown("no answer"), "debug"],
    ["is of a newer format", () => new NewerFormat("newer"), "warn"],
  ])(
    "INB-6: while the broker %s, entries wait in the inbox; then they follow in order",
    async (_, fault, level) => {
      const { taker, addTo, channel, pubSub, messages, left, telemetry, pass } = ingesting();
      pubSub.goesAway();
      const error = fault();
      if (error !== undefined) pubSub.fault = () => error;
      for (const step of numbers(20)) addTo(channel, step);
      taker().start();
      await pass(10_000);
      expect([await messages(), left()]).toEqual([[], 20]);
      expect(pubSub.countOf("append") / 20).toBeGreaterThanOrEqual(5);
      expect(pubSub.countOf("append") / 20).toBeLessThanOrEqual(12);
      const told = () => telemetry.logs.filter(({ message }) => message.startsWith("the inbox"));
      expect(told().map((line) => line.level as string)).toEqual([level]);
      pubSub.comesBack();
      await pass(INBOX_RETRY_MS);
      expect([await messages(), left()]).toEqual([numbers(20), 0]);
      expect(told().map((line) => line.level as string)).toEqual(
        level === "warn" ? ["warn", "info"] : [level],
      );
    },
  );

  test("INB-6: a channel that cannot be stored holds up itself alone", async () => {
    const { taker, addTo, channel, pubSub, messages, left, pass } = ingesting();
    const full = someAnalysis();
    pubSub.fault = (call) => (call.channel === full ? new OutcomeUnknown("no answer") : undefined);
    for (const step of numbers(5)) {
      addTo(full, step);
      addTo(channel, step);
    }
    taker().start();
    await pass(500);
    expect([await messages(), await messages(full), left()]).toEqual([numbers(5), [], 5]);
  });

  test("INB-6: an answer that got lost makes no second event", async () => {
    const { taker, addTo, channel, pubSub, messages, left, pass } = ingesting();
    pubSub.holdsCalls = true;
    addTo(channel, "once");
    taker().start();
    await turn();
    await pubSub.proceed();
    expect(await messages()).toEqual(["once"]);
    pubSub.holdsCalls = false;
    pubSub.failWaiting(new OutcomeUnknown("no answer"));
    await pass(2_000);
    expect([await messages(), left()]).toEqual([["once"], 0]);
  });

  test("INB-7: a stop finishes what was taken, and takes nothing more", async () => {
    const { taker, addTo, channel, pubSub, messages, left } = ingesting();
    const ingest = taker();
    pubSub.holdsCalls = true;
    addTo(channel, "under way");
    ingest.start();
    await turn();
    let stopped = false;
    const stopping = ingest.stop().then(() => {
      stopped = true;
    });
    addTo(channel, "left");
    await turn();
    expect(stopped).toBe(false);
    await pubSub.proceed();
    await pubSub.proceed();
    await stopping;
    expect([await messages(), left()]).toEqual([["under way"], 1]);
  });

  test("INB-7: a stop does not wait for entries, nor for another node, nor for a broker that is away", async () => {
    const { taker, broker, clock } = ingesting();
    const [takes, waits] = [taker(), taker()];
    takes.start();
    await turn();
    waits.start();
    await turn();
    const away = new InMemoryInbox({ broker, clock });
    away.take = () => Promise.reject(new OutcomeUnknown("away"));
    const fails = taker(away);
    fails.start();
    await turn();
    await Promise.all([fails.stop(), waits.stop(), takes.stop()]);
    await taker().stop();
  });

  test("INB-7: a stop while the broker is being asked ends with its answer", async () => {
    const { taker, broker, clock } = ingesting();
    const slow = new InMemoryInbox({ broker, clock });
    const asked = Promise.withResolvers<Taken>();
    slow.take = () => asked.promise;
    const ingest = taker(slow);
    ingest.start();
    const stopping = ingest.stop();
    asked.resolve({ type: "batch", entries: [] });
    await stopping;
  });
});

describe("WatchInbox", () => {
  const watching = () => {
    const bench = ingesting();
    const watch = new WatchInbox(bench.worker, bench.clock);
    const look = async (after: number) => {
      bench.clock.advance(after);
      await watch.execute();
      return watch.health;
    };
    return { ...bench, watch, look };
  };

  test("INB-5: says how many entries wait, how long the oldest has, and nothing before it has looked", async () => {
    const { addTo, channel, watch, look } = watching();
    expect(watch.health).toEqual({ status: "unknown" });
    expect(await look(0)).toEqual({ status: "up", entries: 0, oldestAgeMs: undefined });
    addTo(channel, "1");
    addTo(channel, "2");
    expect(await look(5_000)).toEqual({ status: "up", entries: 2, oldestAgeMs: 5_000 });
  });

  test("INB-5: a head that does not move for 30 s is stuck, one that moves is not, however old", async () => {
    const { addTo, channel, worker, look } = watching();
    const ids = numbers(20).map((step) => addTo(channel, step));
    await look(86_400_000);
    for (const id of ids.slice(0, 10)) {
      expect(await look(20_000)).toMatchObject({ status: "up" });
      await worker.remove([id]);
    }
    expect(await look(2_000)).toMatchObject({ status: "up", entries: 10 });
    expect(await look(29_999)).toMatchObject({ status: "up" });
    expect(await look(1)).toMatchObject({ status: "stuck", entries: 10 });
    await worker.remove(ids.slice(10, 11));
    expect(await look(2_000)).toMatchObject({ status: "up", entries: 9 });
    await look(30_000);
    await worker.remove(ids);
    expect(await look(2_000)).toMatchObject({ status: "up", entries: 0 });
  });

  test("INB-5: an inbox that cannot be looked at is down with the reason, and its time counts anew", async () => {
    const { addTo, channel, worker, look } = watching();
    addTo(channel, "1");
    await look(0);
    await look(20_000);
    const backlog = worker.backlog;
    worker.backlog = () => Promise.reject(new OutcomeUnknown("timed out at 10.0.0.1"));
    expect(await look(15_000)).toEqual({
      status: "down",
      cause: "silent",
      reason: "the broker does not answer",
    });
    worker.backlog = backlog;
    expect(await look(2_000)).toMatchObject({ status: "up" });
    expect(await look(30_000)).toMatchObject({ status: "stuck" });
  });
});
