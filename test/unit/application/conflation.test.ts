import { describe, expect, test } from "bun:test";
import { Broadcaster } from "../../../src/application/fan-out/broadcaster.ts";
import type { EncodedEvent } from "../../../src/domain/analysis-event.ts";
import { completed, failed, fault, result, status } from "../../../src/testing/encoded-events.ts";
import { published } from "../../support/published-event.ts";
import { sourceOf } from "../../support/source-of.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

describe("conflation", () => {
  const opened = (conflates: boolean) => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster), { conflates });
    let offset = 0;
    const push = async (...events: (EncodedEvent | "reopening")[]) => {
      for (const event of events) {
        offset++;
        if (event === "reopening") broadcaster.push(published(offset, status(), { reopens: true }));
        else broadcaster.push(published(offset, event));
      }
      await turn();
    };
    return { broadcaster, watcher, push };
  };

  test("WS-21: to a client that does not keep up the newest status is sent at its own place, older ones are left out", async () => {
    const { watcher, push } = opened(true);
    watcher.begin();
    watcher.wire.takeOnly(1);
    await push(status());
    await push(status(), status(), status());
    watcher.drain();
    await push(status());
    expect(watcher.wire.offsets).toEqual([1, 4, 5]);
  });

  test("WS-21: terminal events are never left out, nor a status that reopens, nor the last before them", async () => {
    const { watcher, push } = opened(true);
    watcher.begin();
    watcher.wire.takeOnly(1);
    await push(status());
    await push(status(), result(), completed(), "reopening", status(), failed(), fault(), status(), status());
    watcher.drain();
    expect(watcher.wire.offsets).toEqual([1, 3, 5, 7, 8, 10]);
  });

  test("WS-21: a client that keeps up gets every status, also of a burst", async () => {
    const { watcher, push } = opened(true);
    watcher.begin();
    await push(status(), status(), status());
    expect(watcher.wire.offsets).toEqual([1, 2, 3]);
  });

  test("WS-21: once it has caught up nothing is left out any more", async () => {
    const { watcher, push } = opened(true);
    watcher.begin();
    watcher.wire.takeOnly(1);
    await push(status());
    await push(status(), status());
    watcher.drain();
    await push(status(), status(), status());
    expect(watcher.wire.offsets.slice(-3)).toEqual([4, 5, 6]);
  });

  test("WS-21: with conflate=none nothing is left out", async () => {
    const { watcher, push } = opened(false);
    watcher.begin();
    watcher.wire.takeOnly(1);
    await push(status());
    await push(status(), status(), result());
    watcher.drain();
    expect(watcher.wire.offsets).toEqual([1, 2, 3, 4]);
  });

  test("WS-21: a replay is never conflated, only what waits behind it", async () => {
    const { watcher, push, broadcaster } = opened(true);
    const replay = [1, 2, 3, 4].map((offset) => published(offset, status()));
    watcher.wire.takeOnly(1);
    watcher.begin({ replay, cursor: broadcaster.next });
    for (let events = 0; events < 4; events++) await push(status());
    watcher.drain();
    // The live ones of this test are numbered from 1 as well.
    expect(watcher.wire.offsets).toEqual([1, 2, 3, 4, 4]);
  });

  test("WS-21: statuses that may be left out never make a client too slow", async () => {
    const large = status({ note: "x".repeat(1_000_000) });
    for (const conflates of [true, false]) {
      const { watcher, push } = opened(conflates);
      watcher.begin();
      watcher.wire.takeOnly(1);
      for (let events = 0; events < 20; events++) await push(large);
      expect(watcher.owner.timesTooSlow > 0).toBe(!conflates);
    }
  });
});
