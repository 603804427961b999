import { describe, expect, test } from "bun:test";
import { Fanout } from "../../../src/application/fan-out/fanout.ts";
import { resumedOf } from "../../../src/application/fan-out/replay.ts";
import { fault, result, status } from "../../support/encoded-events.ts";
import { published } from "../../support/published-event.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

const AGAIN = "connection_established";

describe("a delivery whose history did not survive", () => {
  const afresh = (offset: number) => published(offset, status(), { epoch: "e2" });

  test("ID-4: who was sent something is told, then gets the replay, then what follows", async () => {
    const fanout = new Fanout();
    const watcher = new Watcher(fanout).begin();
    fanout.push(published(1));
    await turn();
    fanout.restart([afresh(1)], []);
    fanout.push(afresh(2));
    await turn();
    expect(watcher.wire.types).toEqual(["status_update", AGAIN, "status_update", "status_update"]);
    expect(watcher.wire.offsets).toEqual([1, 1, 2]);
  });

  test("ID-4: who was sent nothing is not told, and gets the replay", () => {
    const fanout = new Fanout();
    const watcher = new Watcher(fanout).begin();
    fanout.restart([afresh(1)], []);
    expect(watcher.wire.types).toEqual(["status_update"]);
  });

  test("ID-4: who was told once is not told again of a loss of which it saw nothing", () => {
    const fanout = new Fanout();
    const watcher = new Watcher(fanout).begin({ replay: [published(1)] });
    fanout.restart([], []);
    fanout.restart([], []);
    expect(watcher.wire.types).toEqual(["status_update", AGAIN]);
  });

  test("ID-4: what waited of the lost history is never sent", async () => {
    const fanout = new Fanout();
    const watcher = new Watcher(fanout).begin();
    watcher.wire.takeOnly(1);
    for (let offset = 1; offset <= 5; offset++) {
      fanout.push(published(offset));
      await turn();
    }
    fanout.restart([afresh(1)], []);
    watcher.drain();
    expect(watcher.wire.types).toEqual(["status_update", AGAIN, "status_update"]);
    expect(watcher.wire.messages.at(-1)?.event_id).toBe("e2-1");
    expect(fanout.at(0)).toBeUndefined();
  });

  test("ID-4: who asked for the whole history gets the whole again, the others the latest", () => {
    const fanout = new Fanout();
    expect(fanout.replaysAll).toBe(false);
    const [latest, all] = [new Watcher(fanout).begin(), new Watcher(fanout, { replaysAll: true }).begin()];
    expect(fanout.replaysAll).toBe(true);
    fanout.restart([afresh(3)], [afresh(1), afresh(2), afresh(3)]);
    expect([latest.wire.offsets, all.wire.offsets]).toEqual([[3], [1, 2, 3]]);
  });

  test("ID-4: lost before it began, it begins with what survived, and what followed", async () => {
    const fanout = new Fanout();
    const watcher = new Watcher(fanout);
    fanout.push(published(1));
    fanout.restart([afresh(1)], []);
    fanout.push(afresh(2));
    await turn();
    const prepared = { request: { mode: "latest", after: undefined }, history: undefined } as const;
    const told = (resumed: boolean | null) =>
      resumedOf({ ...prepared, resumed, terminalStands: false }, watcher.delivery);
    expect([told(true), told(false), told(null)]).toEqual([false, false, null]);
    watcher.begin({ replay: [published(1)] });
    expect(watcher.wire.messages.map(({ event_id }) => event_id)).toEqual(["e2-1", "e2-2"]);
  });
});

describe("a delivery until=terminal", () => {
  const watching = () => {
    const fanout = new Fanout();
    return { fanout, watcher: new Watcher(fanout, { untilTerminal: true }) };
  };

  test("RES-5: ends once the terminal event and all that came with it were sent", async () => {
    const { fanout, watcher } = watching();
    watcher.begin();
    fanout.push(published(1));
    await turn();
    expect(watcher.owner.timesFinished).toBe(0);
    fanout.push(published(2, result()));
    fanout.push(published(3, { ...status(), kind: "status_completed" }));
    await turn();
    expect([watcher.owner.timesFinished, watcher.wire.offsets]).toEqual([1, [1, 2, 3]]);
  });

  test("RES-5: ends with a replay that ends with it, at the pace of the socket", () => {
    const { watcher } = watching();
    watcher.wire.takeOnly(0);
    watcher.outlet.sendControl("{}");
    watcher.begin({ replay: [published(1), published(2, fault())] });
    expect(watcher.owner.timesFinished).toBe(0);
    watcher.drain();
    expect(watcher.owner.timesFinished).toBe(1);
  });

  test("RES-5: a terminal event that was reopened ends nothing", async () => {
    const { fanout, watcher } = watching();
    watcher.begin({ replay: [published(1, result()), published(2, status(), { reopens: true })] });
    fanout.push(published(3));
    await turn();
    expect(watcher.owner.timesFinished).toBe(0);
    fanout.push(published(4, fault()));
    await turn();
    expect(watcher.owner.timesFinished).toBe(1);
  });

  test("RES-5: one that the client had already seen ends it at once", () => {
    const { watcher } = watching();
    watcher.begin({ terminalStands: true });
    expect([watcher.owner.timesFinished, watcher.wire.frames.length]).toEqual([1, 0]);
  });

  test("without it a terminal event ends nothing", async () => {
    const fanout = new Fanout();
    const watcher = new Watcher(fanout).begin();
    fanout.push(published(1, result()));
    await turn();
    expect(watcher.owner.timesFinished).toBe(0);
  });
});
