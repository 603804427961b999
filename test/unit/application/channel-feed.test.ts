import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { prepareReplay, startOf } from "../../../src/application/fan-out/prepared-replay.ts";
import { completed, failed, fault, result, status } from "../../../src/testing/encoded-events.ts";
import { Watcher } from "../../support/watcher.ts";
import { feedBench } from "./feed-bench.ts";

describe("ChannelFeed", () => {
  test("subscribes before it reads, so that nothing falls between; late joiners cost the broker nothing", async () => {
    const { feed, pubSub, publish, watch, settle } = feedBench();
    await publish();
    await feed.open();
    expect(pubSub.made.map(({ name }) => name)).toEqual(["subscribe", "snapshot"]);
    watch();
    await publish();
    for (let joined = 0; joined < 100; joined++) watch();
    await settle();
    expect(pubSub.made).toHaveLength(2);
  });

  test.each([
    ["nothing", [], []],
    ["the last status", [status(), status()], [2]],
    ["the last status and the result, in order", [status(), status(), result()], [2, 3]],
    ["the result before completed", [status(), result(), completed()], [2, 3]],
    ["stage failed once, being both", [status(), failed()], [2]],
    ["the last terminal event only", [status(), result(), fault()], [1, 3]],
    ["a retry alone, which reopens", [status(), result(), status()], [3]],
    ["a new attempt alone", [result({ attemptId: "a" }), completed({ attemptId: "b" })], [2]],
    ["a fault without any status", [fault()], [1]],
  ])("WS-1: a late joiner starts with %s", async (_, events, offsets) => {
    const [read, heard] = [feedBench(), feedBench()];
    if (events.length > 0) await read.publish(...events);
    await read.feed.open();
    expect(read.watch().wire.offsets).toEqual(offsets);
    await heard.feed.open();
    if (events.length > 0) await heard.publish(...events);
    expect(heard.watch().wire.offsets).toEqual(offsets);
  });

  test("ID-4: a hole that was trimmed cannot be filled: told, then the latest state, then live", async () => {
    const { feed, pubSub, publish, publishMany, watch, settle } = feedBench({ size: 10 });
    await publish();
    await feed.open();
    const [told, silent] = [watch(), new Watcher(feed).begin()];
    pubSub.breakLink();
    await publishMany(50);
    pubSub.restoreLink();
    await settle();
    await publish();
    await settle();
    expect(told.wire.types).toEqual([
      "status_update",
      "connection_established",
      "status_update",
      "status_update",
    ]);
    expect(told.wire.offsets).toEqual([1, 51, 52]);
    expect(silent.wire.types).toEqual(["status_update", "status_update"]);
    expect(silent.wire.offsets).toEqual([51, 52]);
  });

  test("ID-4: trimming alone disturbs nobody", async () => {
    const { feed, publishMany, watch, settle, pubSub } = feedBench({ size: 10 });
    await feed.open();
    const watcher = watch();
    await publishMany(100);
    await settle();
    pubSub.restoreLink();
    await settle();
    expect(watcher.wire.offsets).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(watcher.wire.types).not.toContain("connection_established");
  });

  test("ID-2: a history that was lost, or expired, begins anew at 1 in another epoch", async () => {
    for (const lose of ["lost", "expired"]) {
      const { feed, publish, publishMany, watch, settle, broker, clock } = feedBench();
      await publishMany(5);
      await feed.open();
      const watcher = watch();
      if (lose === "lost") broker.loseEverything();
      else clock.advance(86_400_001);
      await publish(status(), result());
      await settle();
      const ids = watcher.wire.messages.map(({ event_id }) => event_id?.split("-") ?? ["", "told"]);
      expect(ids.map(([, offset]) => offset)).toEqual(["5", "told", "1", "2"]);
      expect(ids[0]?.[0]).not.toBe(ids[2]?.[0]);
    }
  });

  test("ID-4: a watcher that asked for the whole history gets the whole of what survived", async () => {
    const { feed, publishMany, publish, settle, broker } = feedBench();
    await publishMany(5);
    await feed.open();
    const watcher = new Watcher(feed, { mode: "all" });
    watcher.begin({ replay: (await feed.history(undefined)).events });
    broker.loseEverything();
    await publishMany(3);
    await settle();
    await publish();
    await settle();
    expect(watcher.wire.offsets).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4]);
  });

  const slowReplay = async (rounds = 4) => {
    const bench = feedBench({ size: 5_000 });
    const { feed, publishMany } = bench;
    for (let round = 0; round < rounds; round++) await publishMany(500);
    await feed.open();
    const watcher = new Watcher(feed, { mode: "all" });
    const prepared = await prepareReplay(feed, watcher.delivery, { mode: "all", after: undefined }, false);
    watcher.wire.takeOnly(500);
    watcher.delivery.begin(startOf(prepared, feed, watcher.delivery.cursor));
    return { ...bench, watcher };
  };

  test("a replay of a long history is read and sent at the pace of the socket", async () => {
    const { watcher, publish, settle, pubSub } = await slowReplay(6);
    await publish();
    await settle();
    expect(watcher.wire.frames.length).toBeLessThan(1_000);
    expect(pubSub.countOf("history")).toBe(5);
    for (let drained = 0; watcher.wire.offsets.length < 3_001 && drained < 100; drained++) {
      watcher.drain();
      await settle();
    }
    expect(watcher.wire.offsets).toEqual(Array.from({ length: 3_001 }, (_, index) => index + 1));
  });

  test("a replay waits for a broker that is away, and goes on when it is back", async () => {
    const { watcher, pubSub, clock, settle } = await slowReplay();
    pubSub.goesAway();
    watcher.drain();
    await settle();
    expect(watcher.wire.offsets.at(-1)).toBe(1_000);
    pubSub.comesBack();
    clock.advance(500);
    await settle();
    expect(watcher.wire.offsets).toEqual(Array.from({ length: 2_000 }, (_, index) => index + 1));
  });

  test("a replay that waits for the broker ends with its channel", async () => {
    const { watcher, feed, pubSub, clock, settle } = await slowReplay();
    pubSub.goesAway();
    watcher.drain();
    await settle();
    watcher.delivery.stop();
    feed.close();
    pubSub.comesBack();
    clock.advance(10_000);
    await settle();
    expect(watcher.wire.offsets.at(-1)).toBe(1_000);
  });

  test("ID-4: a broker that lost the end of a replay under way: its client is told, and has what is left", async () => {
    const { watcher, broker, publishMany, settle } = await slowReplay();
    broker.loseEverything();
    await publishMany(3);
    watcher.drain();
    await settle();
    const { types, offsets } = watcher.wire;
    expect(types.filter((type) => type === "connection_established")).toHaveLength(1);
    expect(offsets.slice(-3)).toEqual([1, 2, 3]);
  });

  test("a slow client is told if the history was trimmed beyond its position", async () => {
    const { feed, publishMany, settle } = feedBench({ size: 2_000 });
    for (let round = 0; round < 4; round++) await publishMany(500);
    await feed.open();
    const watcher = new Watcher(feed, { mode: "all" });
    const prepared = await prepareReplay(feed, watcher.delivery, { mode: "all", after: undefined }, false);
    watcher.wire.takeOnly(500);
    watcher.delivery.begin(startOf(prepared, feed, watcher.delivery.cursor));
    for (let round = 0; round < 4; round++) await publishMany(500);
    watcher.drain();
    await settle();
    await settle();
    const { types, offsets } = watcher.wire;
    expect(types.filter((type) => type === "connection_established")).toHaveLength(1);
    expect(types.indexOf("connection_established")).toBe(1_000);
    expect(offsets.at(-1)).toBe(4_000);
    expect(new Set(offsets.slice(1_000)).size).toBe(offsets.length - 1_000);
  });

  test("a history that is lost between two pages is read from the new beginning", async () => {
    const { feed, pubSub, publishMany, broker } = feedBench({ size: 5_000 });
    for (let round = 0; round < 3; round++) await publishMany(500);
    await feed.open();
    pubSub.holdsCalls = true;
    const reading = feed.history(undefined);
    for (let step = 0; step < 2; step++) await pubSub.proceed();
    broker.loseEverything();
    await publishMany(3);
    pubSub.holdsCalls = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    const { events } = await reading;
    expect(events.map(({ position }) => position.offset)).toEqual([1, 2, 3]);
  });

  test("a feed that cannot be opened leaves no subscription behind", async () => {
    for (const name of ["subscribe", "snapshot"]) {
      const { feed, pubSub, broker } = feedBench();
      pubSub.fault = (call) => (call.name === name ? new BrokerUnavailable("away") : undefined);
      const outcome = await feed.open().catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(BrokerUnavailable);
      expect([pubSub.subscriptions, broker.listeningOn().length]).toEqual([0, 0]);
    }
  });

  test("a closed feed delivers nothing, asks nothing and retries nothing", async () => {
    const { feed, pubSub, publish, watch, settle, clock } = feedBench();
    await publish();
    await feed.open();
    const watcher = watch();
    pubSub.goesAway();
    feed.linkRestored();
    await settle();
    feed.close();
    pubSub.comesBack();
    const asked = pubSub.made.length;
    clock.advance(60_000);
    await publish();
    feed.linkRestored();
    feed.viewersChanged(new Set());
    await settle();
    expect([watcher.wire.offsets, pubSub.made.length, pubSub.subscriptions]).toEqual([[1], asked, 0]);
    expect(watcher.owner.viewers).toEqual([]);
  });

  test("a feed that is closed while it reads stops there", async () => {
    for (const steps of [1, 2, 3, 4]) {
      const { feed, pubSub, publishMany, watch, settle, telemetry } = feedBench();
      await publishMany(1);
      await feed.open();
      const watcher = watch();
      pubSub.breakLink();
      await publishMany(2);
      pubSub.holdsCalls = true;
      pubSub.restoreLink();
      for (let step = 1; step < steps; step++) await pubSub.proceed();
      feed.close();
      await settle();
      expect(watcher.wire.offsets).toEqual(steps > 2 ? [1, 2, 3] : [1]);
      expect(telemetry.logs.filter(({ level }) => level === "warn")).toEqual([]);
    }
  });
});
