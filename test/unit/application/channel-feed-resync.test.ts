import { describe, expect, test } from "bun:test";
import { status } from "../../../src/testing/encoded-events.ts";
import { feedBench } from "./feed-bench.ts";

describe("ChannelFeed, in a resync", () => {
  test("ID-3: a message that got lost is read from the history as soon as the next one arrives", async () => {
    const { feed, pubSub, publish, watch, settle, telemetry } = feedBench();
    await feed.open();
    const watcher = watch();
    await publish();
    pubSub.breakLink();
    await publish();
    pubSub.holdsMail = false;
    await publish();
    await settle();
    expect(watcher.wire.offsets).toEqual([1, 2, 3]);
    expect(telemetry.counts.get("feed_heals")).toBe(1);
  });

  test("ID-3: when the link is whole again, what it lost comes without waiting for the next event", async () => {
    const { feed, pubSub, publish, publishMany, watch, settle } = feedBench({ size: 5_000 });
    await publish();
    await feed.open();
    const watcher = watch();
    pubSub.breakLink();
    await publishMany(2_500);
    pubSub.restoreLink();
    await settle();
    expect(watcher.wire.offsets).toEqual(Array.from({ length: 2_501 }, (_, index) => index + 1));
  });

  test("ID-3: the feed reads to the end of the history, also if each page is full of bytes", async () => {
    const { feed, pubSub, publish, watch, settle } = feedBench();
    await publish();
    await feed.open();
    const watcher = watch();
    pubSub.breakLink();
    for (let count = 0; count < 7; count++) await publish(status({ note: "x".repeat(400_000) }));
    pubSub.restoreLink();
    await settle();
    expect(watcher.wire.offsets).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("ID-3: a message that arrives twice, or late, is delivered once", async () => {
    const { feed, publish, watch, settle, pubSub, channel } = feedBench();
    await feed.open();
    const watcher = watch();
    await publish(status(), status(), status());
    for (const event of (await pubSub.history(channel, undefined, 3)).events) feed.event(event);
    await settle();
    expect(watcher.wire.offsets).toEqual([1, 2, 3]);
  });

  test("ID-3: the feed reads once more if more arrives than it can hold while it reads", async () => {
    const { feed, pubSub, publish, publishMany, watch, settle } = feedBench({ size: 10_000 });
    await publish();
    await feed.open();
    const watcher = watch();
    pubSub.holdsCalls = true;
    feed.linkRestored();
    for (let round = 0; round < 7; round++) await publishMany(500);
    await settle();
    expect(watcher.wire.offsets).toEqual(Array.from({ length: 3_501 }, (_, index) => index + 1));
  });

  test("BUD-10: the events held during a read are bounded in bytes as well", async () => {
    const { feed, pubSub, publish, watch, settle, telemetry } = feedBench();
    await publish();
    await feed.open();
    const watcher = watch();
    pubSub.holdsCalls = true;
    feed.linkRestored();
    const before = telemetry.counts.get("feed_heals");
    for (let count = 0; count < 12; count++) await publish(status({ note: "x".repeat(1_000_000) }));
    await settle();
    expect(watcher.wire.offsets).toEqual(Array.from({ length: 13 }, (_, index) => index + 1));
    // It was too much to hold, so it was read once more.
    expect(telemetry.counts.get("feed_heals")).toBe((before ?? 0) + 1);
  });

  test("ID-3: the feed reads once more if the link breaks while it reads, or while it opens", async () => {
    for (let instant = 0; instant <= 4; instant++) {
      for (const opening of [true, false]) {
        const { feed, pubSub, publish, publishMany, watch, settle } = feedBench();
        await publish();
        if (!opening) await feed.open();
        const early = opening ? undefined : watch();
        pubSub.holdsCalls = true;
        const opened = opening ? feed.open() : undefined;
        if (!opening) feed.linkRestored();
        for (let step = 0; step < instant; step++) await pubSub.proceed();
        pubSub.breakLink();
        await publishMany(2);
        pubSub.restoreLink();
        await settle();
        await opened;
        await settle();
        const offsets = (early ?? watch()).wire.offsets;
        expect([instant, offsets]).toEqual([instant, opening ? [3] : [1, 2, 3]]);
      }
    }
  });

  test("ID-3: without the broker the feed tries again twice a second, until all is there", async () => {
    const { feed, pubSub, publish, publishMany, watch, settle, clock, telemetry } = feedBench();
    await publish();
    await feed.open();
    const watcher = watch();
    pubSub.breakLink();
    pubSub.goesAway();
    await publishMany(3);
    pubSub.restoreLink();
    await settle();
    const tried = () => pubSub.countOf("history");
    for (let halfSeconds = 0; halfSeconds < 20; halfSeconds++) {
      expect(tried()).toBe(halfSeconds + 1);
      clock.advance(500);
      await settle();
    }
    await publish();
    pubSub.comesBack();
    clock.advance(500);
    await settle();
    expect(watcher.wire.offsets).toEqual([1, 2, 3, 4, 5]);
    const tries = telemetry.logs.filter(({ message }) => message === "a channel could not be read again yet");
    // That the broker is away was said once, by whoever noticed.
    expect(tries.map(({ level }) => level)).toEqual(Array.from({ length: 21 }, () => "debug"));
  });
});
