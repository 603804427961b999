import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { NoticeFeed } from "../../../src/application/fan-out/notice-feed.ts";
import { userChannel } from "../../../src/domain/channel.ts";
import { notice } from "../../../src/testing/encoded-events.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

describe("NoticeFeed", () => {
  const channel = userChannel("alice");
  const opened = () => {
    const node = memoryNode();
    const feed = new NoticeFeed(channel, node.pubSub);
    const publish = async () => {
      await node.elsewhere.append({ channel, events: [notice()] });
      await turn();
    };
    return { ...node, feed, publish };
  };

  test("NOT-4: notices are live only: what came before, or was missed, is never sent", async () => {
    const { feed, pubSub, publish } = opened();
    await publish();
    await feed.open();
    const watcher = new Watcher(feed).begin();
    await publish();
    pubSub.breakLink();
    await publish();
    pubSub.restoreLink();
    await publish();
    expect(watcher.wire.offsets).toEqual([2, 4]);
    expect(pubSub.made.map(({ name }) => name)).toEqual(["subscribe"]);
  });

  test("NOT-4: a lost history of notices disturbs nobody: the next one is simply sent", async () => {
    const { feed, broker, publish } = opened();
    await feed.open();
    const watcher = new Watcher(feed).begin();
    await publish();
    await publish();
    broker.loseEverything();
    await publish();
    expect(watcher.wire.types).toEqual(["notice", "notice", "notice"]);
    expect(watcher.wire.offsets).toEqual([1, 2, 1]);
  });

  test("NOT-5: one that arrives twice is sent once", async () => {
    const { feed, pubSub, publish } = opened();
    await feed.open();
    const watcher = new Watcher(feed).begin();
    await publish();
    for (const event of (await pubSub.history(channel, undefined, 10)).events) feed.event(event);
    await turn();
    expect(watcher.wire.offsets).toEqual([1]);
  });

  test("closed, it hears nothing; one that could not be opened may be closed", async () => {
    const { feed, pubSub, publish } = opened();
    await feed.open();
    const watcher = new Watcher(feed).begin();
    feed.close();
    await publish();
    expect([watcher.wire.frames.length, pubSub.subscriptions]).toEqual([0, 0]);
    pubSub.goesAway();
    const failing = new NoticeFeed(channel, pubSub);
    expect(await failing.open().catch((error: unknown) => error)).toBeInstanceOf(BrokerUnavailable);
    failing.close();
  });
});
