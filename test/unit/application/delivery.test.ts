import { describe, expect, test } from "bun:test";
import { Broadcaster } from "../../../src/application/fan-out/broadcaster.ts";
import { MAX_WAITING_CHARACTERS } from "../../../src/application/fan-out/connection-writer.ts";
import { Delivery } from "../../../src/application/fan-out/delivery.ts";
import { startLive } from "../../../src/application/fan-out/replay.ts";
import { controlFrame } from "../../support/control-frame.ts";
import { published, publishedOfLength } from "../../support/published-event.ts";
import { sourceOf } from "../../support/source-of.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

const UNCONFLATED = {
  replay: { mode: "latest", after: undefined },
  untilTerminal: false,
  conflates: false,
} as const;
const MEBIBYTE = 1024 * 1024;

describe("Delivery", () => {
  const offsets = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const push = (broadcaster: Broadcaster, from: number, to: number) => {
    for (const offset of offsets(from, to)) broadcaster.push(published(offset));
  };

  test("sends the replay, then what was pushed since it was made, then live, each once and in order", async () => {
    const broadcaster = new Broadcaster();
    push(broadcaster, 1, 3);
    await turn();
    const watcher = new Watcher(sourceOf(broadcaster));
    push(broadcaster, 4, 5);
    await turn();
    expect(watcher.wire.frames).toEqual([]);
    watcher.begin({ replay: [published(2), published(3)] });
    push(broadcaster, 6, 7);
    await turn();
    expect(watcher.wire.offsets).toEqual(offsets(2, 7));
  });

  test("a replay ahead of the ring is not sent again from the ring", async () => {
    const broadcaster = new Broadcaster();
    push(broadcaster, 1, 1);
    const watcher = new Watcher(sourceOf(broadcaster)).begin({
      replay: [1, 2, 3].map((offset) => published(offset)),
      cursor: 3,
    });
    push(broadcaster, 2, 5);
    await turn();
    expect(watcher.wire.offsets).toEqual(offsets(1, 5));
  });

  test("events of one turn go out in one piece", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    push(broadcaster, 1, 50);
    await turn();
    expect(watcher.wire.batches).toEqual([50]);
  });

  test("events wait while the socket takes no more, and none is left out or sent twice", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    watcher.wire.takeOnly(1);
    push(broadcaster, 1, 1);
    await turn();
    for (const offset of offsets(2, 500)) {
      push(broadcaster, offset, offset);
      await turn();
    }
    expect(watcher.wire.offsets).toEqual([1]);
    watcher.drain();
    expect(watcher.wire.offsets).toEqual(offsets(1, 500));
  });

  test("a replay goes at the pace of the socket, and live events wait behind it", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster));
    watcher.wire.takeOnly(1);
    const replay = offsets(1, 40).map((offset) => publishedOfLength(offset, 60_000));
    watcher.begin({ replay });
    push(broadcaster, 41, 45);
    await turn();
    expect(watcher.wire.frames.length).toBeLessThan(5);
    while (watcher.wire.frames.length < 45) {
      watcher.wire.takeOnly(1);
      watcher.writer.drained();
    }
    expect(watcher.wire.offsets).toEqual(offsets(1, 45));
  });

  test("WS-9: a client that lets more than 16 Mi characters wait is too slow, and one of exactly so many is not", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    watcher.wire.takeOnly(1);
    broadcaster.push(publishedOfLength(1, MEBIBYTE));
    await turn();
    for (let offset = 2; offset <= 17; offset++) broadcaster.push(publishedOfLength(offset, MEBIBYTE));
    await turn();
    expect(MAX_WAITING_CHARACTERS).toBe(16 * MEBIBYTE);
    expect(watcher.owner.timesTooSlow).toBe(0);
    broadcaster.push(published(18));
    await turn();
    expect(watcher.owner.timesTooSlow).toBe(1);
  });

  test("WS-9: characters wait for one connection over all that it watches, and no longer once they were sent", async () => {
    const broadcasters = [new Broadcaster(), new Broadcaster()];
    const [one, two] = broadcasters.map((broadcaster) => new Watcher(sourceOf(broadcaster)).begin()) as [
      Watcher,
      Watcher,
    ];
    const both = new Watcher(sourceOf(broadcasters[0] as Broadcaster)).begin();
    const { writer, owner } = both;
    const beside = new Delivery({ writer, owner, ...UNCONFLATED }, broadcasters[1] as Broadcaster);
    beside.begin(startLive(beside.cursor));
    const pushToEach = async (count: number) => {
      for (const offset of offsets(1, count))
        for (const broadcaster of broadcasters) broadcaster.push(publishedOfLength(offset, MEBIBYTE));
      await turn();
    };
    for (let round = 0; round < 2; round++) {
      for (const { wire, writer } of [one, two, both]) {
        wire.takeOnly(1);
        writer.sendControl(controlFrame("{}"));
      }
      await pushToEach(8);
      for (const watcher of [one, two, both]) watcher.drain();
    }
    expect([one, two, both].map(({ owner }) => owner.timesTooSlow)).toEqual([0, 0, 0]);
    for (const { wire, writer } of [one, two, both]) {
      wire.takeOnly(1);
      writer.sendControl(controlFrame("{}"));
    }
    await pushToEach(9);
    expect([one, two].map(({ owner }) => owner.timesTooSlow)).toEqual([0, 0]);
    expect(both.owner.timesTooSlow).toBeGreaterThan(0);
  });

  test("WS-9: the event being sent never counts, however large, nor does the replay", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster));
    watcher.wire.takeOnly(1);
    const large = publishedOfLength(1, 2 * MAX_WAITING_CHARACTERS);
    watcher.begin({ replay: [large, large] });
    broadcaster.push(published(2));
    await turn();
    expect(watcher.owner.timesTooSlow).toBe(0);
    watcher.drain();
    expect(watcher.wire.frames).toHaveLength(3);
  });

  test("WS-9: a replay ahead of the ring counts nothing that another slow watcher lets wait", async () => {
    const broadcaster = new Broadcaster();
    const slow = new Watcher(sourceOf(broadcaster)).begin();
    slow.wire.takeOnly(0);
    slow.writer.sendControl(controlFrame("{}"));
    const ahead = new Watcher(sourceOf(broadcaster)).begin({ cursor: 40 });
    ahead.wire.takeOnly(0);
    ahead.writer.sendControl(controlFrame("{}"));
    for (let offset = 1; offset <= 20; offset++) broadcaster.push(publishedOfLength(offset, MEBIBYTE));
    await turn();
    expect([slow.owner.timesTooSlow > 0, ahead.owner.timesTooSlow]).toEqual([true, 0]);
  });

  test("a slow socket and a broken one delay nobody", async () => {
    const broadcaster = new Broadcaster();
    const [slow, broken, leaving, good] = [1, 2, 3, 4].map(() =>
      new Watcher(sourceOf(broadcaster)).begin(),
    ) as [Watcher, Watcher, Watcher, Watcher];
    slow.wire.takeOnly(1);
    broken.wire.breakDown();
    push(broadcaster, 1, 1);
    await turn();
    leaving.delivery.stop();
    push(broadcaster, 2, 10);
    await turn();
    expect(good.wire.offsets).toEqual(offsets(1, 10));
    expect([slow, broken, leaving].map(({ wire }) => wire.frames.length)).toEqual([1, 0, 1]);
    expect([slow, broken, good].map(({ owner }) => owner.timesTooSlow)).toEqual([0, 0, 0]);
  });

  test("the ring keeps what the slowest watcher needs, and little once that one has gone", async () => {
    const broadcaster = new Broadcaster();
    const [slow, good] = [
      new Watcher(sourceOf(broadcaster)).begin(),
      new Watcher(sourceOf(broadcaster)).begin(),
    ];
    slow.wire.takeOnly(1);
    for (const offset of offsets(1, 300)) {
      push(broadcaster, offset, offset);
      await turn();
    }
    expect(broadcaster.at(1)?.position.offset).toBe(2);
    slow.delivery.stop();
    push(broadcaster, 301, 301);
    await turn();
    expect(broadcaster.at(1)).toBeUndefined();
    expect(broadcaster.at(299)?.position.offset).toBe(300);
    expect(good.wire.offsets).toEqual(offsets(1, 301));
  });

  test("after stop() nothing is sent, not even by a drain", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    watcher.wire.takeOnly(1);
    push(broadcaster, 1, 3);
    await turn();
    watcher.delivery.stop();
    watcher.delivery.stop();
    const before = watcher.wire.frames.length;
    watcher.drain();
    push(broadcaster, 4, 4);
    await turn();
    expect(watcher.wire.frames).toHaveLength(before);
  });

  test("viewers are passed on to whoever watches, before and after it began", () => {
    const broadcaster = new Broadcaster();
    const [held, begun] = [new Watcher(sourceOf(broadcaster)), new Watcher(sourceOf(broadcaster)).begin()];
    const viewers = new Set(["alice"]);
    broadcaster.viewersChanged(viewers);
    expect([held.owner.viewers, begun.owner.viewers]).toEqual([[viewers], [viewers]]);
  });
});
