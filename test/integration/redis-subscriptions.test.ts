import { describe, expect, test } from "bun:test";
import type { ChannelSubscription } from "../../src/application/ports/pub-sub-port.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { status } from "../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { useRedis } from "../support/use-redis.ts";
import { Seeded } from "../unit/domain/seeded.ts";

describe.skipIf(!needs("redis-server"))("subscriptions on Redis", () => {
  const redis = useRedis();

  const watchedChannels = async () =>
    ((await redis.client.pubsub("CHANNELS", "telltale:*{analysis:*")) as string[]).sort();

  test("PS-8: many subscribers share one subscription, and none is left after the last", async () => {
    const node = redis.nodes.make();
    const channel = someAnalysis();
    const subscriptions = await Promise.all(
      Array.from({ length: 10 }, () => node.subscribe(channel, new CollectingSubscriber())),
    );
    expect(await redis.client.pubsub("NUMSUB", `telltale:0:{${channel}}`)).toEqual([
      `telltale:0:{${channel}}`,
      1,
    ]);
    const [last, ...others] = subscriptions;
    await Promise.all(others.map((subscription) => subscription.unsubscribe()));
    expect(await watchedChannels()).toEqual([`telltale:0:{${channel}}`]);
    await last?.unsubscribe();
    expect(await watchedChannels()).toEqual([]);
  });

  test("PS-8: a node has subscribed the watched channels and no other after thousands came and went at once", async () => {
    const seeded = new Seeded(20261124);
    const node = redis.nodes.make();
    const channels = Array.from({ length: 20 }, someAnalysis);
    const here: { channel: (typeof channels)[number]; subscription: Promise<ChannelSubscription> }[] = [];
    const pending: Promise<unknown>[] = [];
    for (let step = 0; step < 4_000; step++) {
      if (here.length > 0 && seeded.below(2) === 0) {
        const [leaving] = here.splice(seeded.below(here.length), 1);
        pending.push(leaving!.subscription.then((subscription) => subscription.unsubscribe()));
      } else {
        const channel = seeded.pick(channels);
        here.push({ channel, subscription: node.subscribe(channel, new CollectingSubscriber()) });
      }
      // Answers of Redis come in between.
      if (step % 50 === 0) await redis.client.ping();
    }
    await Promise.all([...pending, ...here.map(({ subscription }) => subscription)]);
    const wanted = [...new Set(here.map(({ channel }) => `telltale:0:{${channel}}`))].sort();
    expect(await watchedChannels()).toEqual(wanted);
    await Promise.all(here.map(async ({ subscription }) => (await subscription).unsubscribe()));
    expect(await watchedChannels()).toEqual([]);
  }, 20_000);

  test("a node subscribes to 10,000 channels in batches", async () => {
    const node = redis.nodes.make();
    await redis.client.config("RESETSTAT");
    const subscriptions = await Promise.all(
      Array.from({ length: 10_000 }, () => node.subscribe(someAnalysis(), new CollectingSubscriber())),
    );
    const statistics = await redis.client.info("commandstats");
    // The probe has one more.
    expect(Number(/cmdstat_subscribe:calls=(\d+)/.exec(statistics)?.[1])).toBeLessThanOrEqual(21);
    expect(await watchedChannels()).toHaveLength(10_000);
    await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
    expect(await watchedChannels()).toEqual([]);
  }, 20_000);

  test("two databases of one Redis do not hear each other", async () => {
    const [zero, five] = [redis.nodes.make(), redis.nodes.make({ db: 5 })];
    const channel = someAnalysis();
    const [heardInZero, heardInFive] = [new CollectingSubscriber(), new CollectingSubscriber()];
    await zero.subscribe(channel, heardInZero);
    await five.subscribe(channel, heardInFive);
    await five.append({ channel, events: [status(), status()] });
    await zero.append({ channel, events: [status()] });
    await heardInZero.until(() => heardInZero.events.length === 1);
    await heardInFive.until(() => heardInFive.events.length === 2);
    expect(heardInZero.offsets).toEqual([1]);
    expect(heardInFive.offsets).toEqual([1, 2]);
    expect(heardInZero.events[0]?.position.epoch).not.toBe(heardInFive.events[0]?.position.epoch);
  });

  test("a node counts messages that others publish on its channels, and passes over them", async () => {
    const telemetry = new CollectingTelemetry();
    const node = redis.nodes.make({ telemetry });
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await node.subscribe(channel, heard);
    for (const foreign of ["", "x", "s{}", 'q{"event_id":"abc-1","a":1}', "v{", "v7"]) {
      await redis.client.publish(`telltale:0:{${channel}}`, foreign);
    }
    await node.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length === 1);
    expect(heard.viewers).toEqual([]);
    expect(telemetry.counts.get("foreign_messages")).toBe(6);
  });
});
