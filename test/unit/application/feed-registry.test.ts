import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import type { ChannelFeed } from "../../../src/application/fan-out/channel-feed.ts";
import { type FeedLease, FeedRegistry } from "../../../src/application/fan-out/feed-registry.ts";
import { SYSTEM_CHANNEL, userChannel } from "../../../src/domain/channel.ts";
import { notice, status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";
import { Seeded } from "../domain/seeded.ts";

describe("FeedRegistry", () => {
  const opened = () => {
    const node = memoryNode();
    return { ...node, feeds: new FeedRegistry(node.pubSub, node.clock, node.telemetry) };
  };

  test("all watchers of a channel share one feed and one subscription", async () => {
    const { feeds, pubSub } = opened();
    const channel = someAnalysis();
    const leases = await Promise.all(Array.from({ length: 50 }, () => feeds.analysis(channel)));
    leases.push(await feeds.analysis(channel));
    expect(new Set(leases.map(({ feed }) => feed)).size).toBe(1);
    expect([feeds.size, pubSub.subscriptions, pubSub.made.length]).toEqual([1, 1, 2]);
  });

  test("while a part of the broker is away the channels of the others can be watched", async () => {
    const { feeds, pubSub } = opened();
    const [lost, served] = [someAnalysis(), someAnalysis()];
    await feeds.analysis(lost);
    pubSub.losesPartWith(lost);
    await expect(feeds.analysis(lost)).rejects.toBeInstanceOf(BrokerUnavailable);
    expect((await feeds.analysis(served)).feed.isLive).toBe(true);
  });

  test("the subscription is released with the last watcher, and not before", async () => {
    const { feeds, pubSub, broker } = opened();
    const channel = someAnalysis();
    const [one, two] = [await feeds.analysis(channel), await feeds.analysis(channel)];
    one.release();
    one.release();
    expect(pubSub.subscriptions).toBe(1);
    two.release();
    expect([feeds.size, pubSub.subscriptions, broker.listeningOn()]).toEqual([0, 0, []]);
  });

  test("the only watcher of an analysis leaves, comes back, and hears", async () => {
    const { feeds, elsewhere } = opened();
    const channel = someAnalysis();
    for (let visit = 1; visit <= 5; visit++) {
      const lease = await feeds.analysis(channel);
      const watcher = new Watcher(lease.feed).begin();
      await elsewhere.append({ channel, events: [status()] });
      await turn();
      expect(watcher.wire.offsets).toEqual([visit]);
      watcher.delivery.stop();
      lease.release();
    }
  });

  test("notices are watched alike, by channel", async () => {
    const { feeds, pubSub, elsewhere } = opened();
    const leases = await Promise.all([feeds.notices(userChannel("alice")), feeds.notices(SYSTEM_CHANNEL)]);
    const [alice, all] = leases.map(({ feed }) => new Watcher(feed).begin());
    await elsewhere.append({ channel: userChannel("alice"), events: [notice()] });
    await turn();
    expect([alice?.wire.frames.length, all?.wire.frames.length]).toEqual([1, 0]);
    for (const lease of leases) lease.release();
    expect(pubSub.subscriptions).toBe(0);
  });

  test("a failed opening fails for all who waited, leaves nothing, and the next watcher tries anew", async () => {
    for (const name of ["subscribe", "snapshot"]) {
      const { feeds, pubSub } = opened();
      const channel = someAnalysis();
      pubSub.fault = (call) => (call.name === name ? new BrokerUnavailable("away") : undefined);
      const waiting = await Promise.allSettled([feeds.analysis(channel), feeds.analysis(channel)]);
      expect(waiting.map((one) => one.status)).toEqual(["rejected", "rejected"]);
      expect([feeds.size, pubSub.subscriptions]).toEqual([0, 0]);
      pubSub.comesBack();
      (await feeds.analysis(channel)).release();
      expect([feeds.size, pubSub.subscriptions]).toEqual([0, 0]);
    }
  });

  test.each([1, 2, 3])(
    "subscriptions are what is watched, after thousands of joins and leaves (seed %d)",
    async (seed) => {
      const { feeds, pubSub, broker } = opened();
      const random = new Seeded(seed);
      const channels = Array.from({ length: 20 }, someAnalysis);
      const held: { readonly channel: string; readonly lease: FeedLease<ChannelFeed> }[] = [];
      const joining = new Set<Promise<void>>();
      pubSub.holdsCalls = true;
      pubSub.fault = () => (random.below(20) === 0 ? new BrokerUnavailable("away") : undefined);
      for (let step = 0; step < 3_000; step++) {
        const action = random.below(4);
        if (action === 0) {
          const channel = random.pick(channels);
          const join = feeds.analysis(channel).then(
            (lease) => void held.push({ channel, lease }),
            () => undefined,
          );
          joining.add(join);
          void join.finally(() => joining.delete(join));
        } else if (action === 1 && held.length > 0) {
          const [left] = held.splice(random.below(held.length), 1);
          left?.lease.release();
        } else await pubSub.proceed();
      }
      while (pubSub.waiting.length > 0) await pubSub.proceed();
      await Promise.all(joining);
      const watched = new Set(held.map(({ channel }) => channel));
      expect(watched.size).toBeGreaterThan(5);
      expect([...broker.listeningOn()].sort()).toEqual([...watched].sort() as never);
      expect([feeds.size, pubSub.subscriptions]).toEqual([watched.size, watched.size]);
      for (const { lease } of held) lease.release();
      expect([feeds.size, pubSub.subscriptions, broker.listeningOn().length]).toEqual([0, 0, 0]);
    },
  );
});
