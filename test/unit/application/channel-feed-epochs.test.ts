import { describe, expect, test } from "bun:test";
import { ChannelFeed } from "../../../src/application/fan-out/channel-feed.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { SpannedPubSub } from "../../support/spanned-pub-sub.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

describe("ID-2: a new epoch on a counter that survived", () => {
  const watching = async (events: number) => {
    const pubSub = new SpannedPubSub();
    const telemetry = new CollectingTelemetry();
    const feed = new ChannelFeed(someAnalysis(), pubSub, new ManualClock(), telemetry);
    await feed.open();
    const watcher = new Watcher(feed).begin();
    for (let count = 0; count < events; count++) pubSub.publish();
    await turn();
    const ids = () => watcher.wire.messages.map(({ event_id, event_type }) => event_id ?? event_type);
    return { pubSub, feed, telemetry, ids };
  };

  test("goes on at the next offset, and disturbs nobody whose events all survived", async () => {
    const { pubSub, ids, telemetry } = await watching(3);
    pubSub.beginEpoch("e2");
    for (let count = 0; count < 3; count++) {
      pubSub.publish();
      await turn();
    }
    expect(ids()).toEqual(["e1-1", "e1-2", "e1-3", "e2-4", "e2-5", "e2-6"]);
    expect(telemetry.counts.get("feed_heals")).toBe(1);
  });

  test("several at once, unheard, are read in order", async () => {
    const { pubSub, ids } = await watching(2);
    for (const epoch of ["e2", "e3", "e4"]) {
      pubSub.beginEpoch(epoch);
      pubSub.publish(false);
    }
    pubSub.publish();
    await turn();
    expect(ids()).toEqual(["e1-1", "e1-2", "e2-3", "e3-4", "e4-5", "e4-6"]);
  });

  test.each([
    ["shorter than what was sent", 3, 1],
    ["as long as what was sent", 3, 3],
    ["longer than what was sent", 3, 5],
  ])(
    "after a lost tail, with a new one %s: told, then the latest state, then live",
    async (_, lost, anew) => {
      const { pubSub, ids } = await watching(5);
      pubSub.beginEpoch("e2", lost);
      for (let count = 0; count < anew; count++) pubSub.publish();
      await turn();
      pubSub.publish();
      await turn();
      const after = ids().slice(5);
      expect(after[0]).toBe("connection_established");
      expect(after.slice(1).every((id) => id.startsWith("e2-"))).toBe(true);
      expect(after.at(-1)).toBe(`e2-${2 + anew + 1}`);
      expect(new Set(after).size).toBe(after.length);
    },
  );

  test("a late message of a history that is gone is not sent", async () => {
    const { pubSub, feed, ids } = await watching(5);
    const late = (await pubSub.history("system:updates", undefined, 10)).events[4];
    pubSub.beginEpoch("e2", 2);
    feed.linkRestored();
    await turn();
    if (late !== undefined) feed.event(late);
    await turn();
    pubSub.publish();
    await turn();
    expect(ids().slice(5)).toEqual(["connection_established", "e1-3", "e2-4"]);
  });
});
