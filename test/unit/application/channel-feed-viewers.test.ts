import { describe, expect, test } from "bun:test";
import { feedBench } from "./feed-bench.ts";

const ALICE = new Set(["alice"]);
const BOB = new Set(["bob"]);

describe("PUB-12: the declared viewers, as a feed knows them", () => {
  test("are read when it opens, and told to those watching when they change", async () => {
    const { feed, elsewhere, channel, watch } = feedBench();
    await elsewhere.declareViewers(channel, ALICE);
    await feed.open();
    expect(feed.viewers).toEqual(ALICE);
    const watcher = watch();
    await elsewhere.declareViewers(channel, BOB);
    expect([feed.viewers, watcher.owner.viewers]).toEqual([BOB, [BOB]]);
  });

  test("declared at any instant while it opens, the last declaration holds", async () => {
    for (let before = 0; before <= 4; before++) {
      for (let arrives = before; arrives <= 5; arrives++) {
        const { feed, pubSub, elsewhere, channel, settle } = feedBench();
        await elsewhere.declareViewers(channel, ALICE);
        pubSub.holdsCalls = true;
        pubSub.holdsMail = true;
        void feed.open();
        for (let step = 0; step <= 4; step++) {
          if (step === before) await elsewhere.declareViewers(channel, BOB);
          if (step >= arrives) pubSub.deliver();
          await pubSub.proceed();
        }
        await settle();
        expect(feed.viewers).toEqual(BOB);
      }
    }
  });

  test("declared at any instant while it reads again, or starts afresh, the last declaration holds", async () => {
    for (const lost of [false, true]) {
      for (let before = 0; before <= 4; before++) {
        for (let arrives = before; arrives <= 5; arrives++) {
          const { feed, pubSub, elsewhere, broker, channel, watch, publish, settle } = feedBench();
          await publish();
          await elsewhere.declareViewers(channel, ALICE);
          await feed.open();
          const watcher = watch();
          if (lost) broker.loseEverything();
          await elsewhere.declareViewers(channel, ALICE);
          pubSub.holdsCalls = true;
          pubSub.holdsMail = true;
          feed.linkRestored();
          for (let step = 0; step <= 4; step++) {
            if (step === before) await elsewhere.declareViewers(channel, BOB);
            if (step >= arrives) pubSub.deliver();
            await pubSub.proceed();
          }
          await settle();
          expect(feed.viewers).toEqual(BOB);
          expect(watcher.owner.viewers.at(-1)).toEqual(BOB);
        }
      }
    }
  });

  test("that were declared while the link was down are told once it is whole again", async () => {
    const { feed, pubSub, elsewhere, channel, watch, settle } = feedBench();
    await feed.open();
    const watcher = watch();
    pubSub.breakLink();
    await elsewhere.declareViewers(channel, BOB);
    pubSub.restoreLink();
    await settle();
    expect([feed.viewers, watcher.owner.viewers]).toEqual([BOB, [BOB]]);
  });

  test("heard as everybody, twice, are not taken back by an older reading", async () => {
    const { feed, pubSub, elsewhere, channel, settle } = feedBench();
    await elsewhere.declareViewers(channel, "*");
    await feed.open();
    pubSub.breakLink();
    await elsewhere.declareViewers(channel, ALICE);
    pubSub.holdsCalls = true;
    pubSub.restoreLink();
    for (let step = 0; step < 3; step++) await pubSub.proceed();
    await elsewhere.declareViewers(channel, "*");
    await settle();
    expect(feed.viewers).toBe("*");
  });
});
