import { expect, test } from "bun:test";
import type { ChannelSubscriber } from "../../application/ports/pub-sub-port.ts";
import { CollectingSubscriber } from "../collecting-subscriber.ts";
import { status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

export function deliveryRules({ node }: PubSubRuleContext): void {
  test("PS-6 two nodes on one broker hear each other's events and their own", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const [heardByOne, heardByTwo] = [new CollectingSubscriber(), new CollectingSubscriber()];
    await one.append({ channel, events: [status({ note: "before" })] });
    await one.subscribe(channel, heardByOne);
    await two.subscribe(channel, heardByTwo);
    await one.append({ channel, events: [status()] });
    await two.append({ channel, events: [status()] });
    for (const heard of [heardByOne, heardByTwo]) {
      await heard.until(() => heard.events.length >= 2);
      expect(heard.offsets).toEqual([2, 3]);
    }
  });

  test("PS-6 the append right after subscribe is delivered, every time", async () => {
    const [one, two] = [await node(), await node()];
    for (let round = 0; round < 50; round++) {
      const channel = someAnalysis();
      const heard = new CollectingSubscriber();
      const subscription = await one.subscribe(channel, heard);
      await two.append({ channel, events: [status()] });
      await heard.until(() => heard.events.length === 1);
      await subscription.unsubscribe();
    }
  });

  test("PS-6 events come in the order of their offsets while two nodes append", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    await one.subscribe(channel, heard);
    await Promise.all(
      Array.from({ length: 200 }, (_, n) => (n % 2 ? one : two).append({ channel, events: [status()] })),
    );
    await heard.until(() => heard.events.length >= 200);
    expect(heard.offsets).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
  });

  test("PS-7 each subscriber of a node hears each event of its channel once", async () => {
    const listener = await node();
    const [channel, other] = [someAnalysis(), someAnalysis()];
    const heard = [new CollectingSubscriber(), new CollectingSubscriber(), new CollectingSubscriber()];
    const elsewhere = new CollectingSubscriber();
    await Promise.all(heard.map((subscriber) => listener.subscribe(channel, subscriber)));
    await listener.subscribe(other, elsewhere);
    await listener.append({ channel, events: [status(), status()] });
    await listener.append({ channel: other, events: [status()] });
    await elsewhere.until(() => elsewhere.events.length === 1);
    for (const subscriber of heard) {
      await subscriber.until(() => subscriber.events.length >= 2);
      expect(subscriber.offsets).toEqual([1, 2]);
    }
    expect(elsewhere.offsets).toEqual([1]);
  });

  test("PS-7 a subscriber that throws keeps nothing from the publisher and the others", async () => {
    const listener = await node();
    const channel = someAnalysis();
    const throwing: ChannelSubscriber = {
      event: () => {
        throw new Error("broken subscriber");
      },
      viewersChanged: () => {},
      cancelRequested: () => {},
      linkRestored: () => {},
    };
    const heard = new CollectingSubscriber();
    await listener.subscribe(channel, throwing);
    await listener.subscribe(channel, heard);
    expect(await listener.append({ channel, events: [status(), status()] })).toMatchObject({
      type: "stored",
    });
    await heard.until(() => heard.events.length >= 2);
    expect(heard.offsets).toEqual([1, 2]);
  });

  test("PS-7 a subscriber may append: all hear both events in order", async () => {
    const listener = await node();
    const channel = someAnalysis();
    const heard = new CollectingSubscriber();
    let answered: Promise<unknown> | undefined;
    const answering: ChannelSubscriber = {
      event: () => {
        answered ??= listener.append({ channel, events: [status()] });
      },
      viewersChanged: () => {},
      cancelRequested: () => {},
      linkRestored: () => {},
    };
    await listener.subscribe(channel, answering);
    await listener.subscribe(channel, heard);
    await listener.append({ channel, events: [status()] });
    await heard.until(() => heard.events.length >= 2);
    await answered;
    expect(heard.offsets).toEqual([1, 2]);
  });

  test("PS-8 nothing is delivered after unsubscribe, and unsubscribing twice is no fault", async () => {
    const listener = await node();
    const channel = someAnalysis();
    const [leaving, staying] = [new CollectingSubscriber(), new CollectingSubscriber()];
    const subscription = await listener.subscribe(channel, leaving);
    await listener.subscribe(channel, staying);
    await listener.append({ channel, events: [status()] });
    await Promise.all([leaving, staying].map((heard) => heard.until(() => heard.events.length === 1)));
    await Promise.all([subscription.unsubscribe(), subscription.unsubscribe()]);
    await subscription.unsubscribe();
    await listener.append({ channel, events: [status()] });
    await staying.until(() => staying.events.length === 2);
    expect(leaving.offsets).toEqual([1]);
  });

  test("PS-8 the only watcher leaves, comes back, and hears again", async () => {
    const [listener, publisher] = [await node(), await node()];
    const channel = someAnalysis();
    for (let visit = 1; visit <= 5; visit++) {
      const heard = new CollectingSubscriber();
      const subscription = await listener.subscribe(channel, heard);
      await publisher.append({ channel, events: [status()] });
      await heard.until(() => heard.events.length === 1);
      expect(heard.events[0]?.position.offset).toBe(2 * visit - 1);
      await subscription.unsubscribe();
      await publisher.append({ channel, events: [status()] });
      expect(heard.events).toHaveLength(1);
    }
  });

  test("PS-8 coming back before the leaving was answered hears again", async () => {
    const listener = await node();
    const channel = someAnalysis();
    let subscription = await listener.subscribe(channel, new CollectingSubscriber());
    for (let visit = 1; visit <= 20; visit++) {
      const heard = new CollectingSubscriber();
      const [, next] = await Promise.all([subscription.unsubscribe(), listener.subscribe(channel, heard)]);
      subscription = next;
      await listener.append({ channel, events: [status()] });
      await heard.until(() => heard.events.length === 1);
      expect(heard.offsets).toEqual([visit]);
    }
  });
}
