import { expect, test } from "bun:test";
import { Broadcaster } from "../../../src/application/fan-out/broadcaster.ts";
import { publishedOfLength } from "../../support/published-event.ts";
import { sourceOf } from "../../support/source-of.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

/** So that the socket is asked before each of them. */
const MORE_THAN_A_BATCH = 70_000;

test("WS-21: a replay that the ring still has is not conflated either, only what comes live behind it", async () => {
  const broadcaster = new Broadcaster();
  const push = async (...offsets: number[]) => {
    for (const offset of offsets) broadcaster.push(publishedOfLength(offset, MORE_THAN_A_BATCH));
    await turn();
  };
  await push(1, 2, 3, 4);
  const watcher = new Watcher(sourceOf(broadcaster), { conflates: true });
  watcher.wire.takeOnly(1);
  watcher.begin({ cursor: 0 });
  await push(5, 6, 7);
  watcher.drain();
  expect(watcher.wire.offsets).toEqual([1, 2, 3, 4, 7]);
});
