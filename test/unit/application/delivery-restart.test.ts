import { describe, expect, test } from "bun:test";
import { Broadcaster } from "../../../src/application/fan-out/broadcaster.ts";
import { resumedOf } from "../../../src/application/fan-out/prepared-replay.ts";
import type { PublishedEvent } from "../../../src/application/ports/pub-sub-port.ts";
import { latestAfter, NOTHING_PUBLISHED } from "../../../src/domain/latest-state.ts";
import { fault, result, status } from "../../../src/testing/encoded-events.ts";
import { controlFrame } from "../../support/control-frame.ts";
import { published } from "../../support/published-event.ts";
import { type SomeHistory, sourceOf } from "../../support/source-of.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";

const AGAIN = "connection_established";

describe("a delivery whose history moved", () => {
  const afresh = (offset: number) => published(offset, status(), { epoch: "e2" });
  /** A history of one epoch, `e2`, whole unless its oldest were trimmed. */
  const lostTo = (events: readonly PublishedEvent[], oldestKept = 1): SomeHistory => {
    const newest = events.at(-1)?.position.offset ?? oldestKept - 1;
    return {
      kept: { oldestKept, newest, spans: newest === 0 ? [] : [{ epoch: "e2", firstOffset: 1 }] },
      latest: events.reduce(latestAfter, NOTHING_PUBLISHED),
    };
  };
  /** As `lostTo`, of which the first `shared` events are of the epoch before. */
  const forkedAfter = (shared: number, events: readonly PublishedEvent[]): SomeHistory => {
    const lost = lostTo(events);
    const spans = [
      { epoch: "e1", firstOffset: 1 },
      { epoch: "e2", firstOffset: shared + 1 },
    ];
    return { ...lost, kept: { ...lost.kept, spans } };
  };
  const move = (broadcaster: Broadcaster, { kept, latest }: SomeHistory) => broadcaster.moveTo(kept, latest);
  const ids = (watcher: Watcher) => watcher.wire.messages.map(({ event_id }) => event_id);

  test("ID-4: a client that was sent something is told, then gets the replay, then live events", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    broadcaster.push(published(1));
    await turn();
    move(broadcaster, lostTo([afresh(1)]));
    broadcaster.push(afresh(2));
    await turn();
    expect(watcher.wire.types).toEqual(["status_update", AGAIN, "status_update", "status_update"]);
    expect(watcher.wire.offsets).toEqual([1, 1, 2]);
  });

  test("ID-4: a client that was sent nothing is not told, and gets the replay", () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    move(broadcaster, lostTo([afresh(1)]));
    expect(watcher.wire.types).toEqual(["status_update"]);
  });

  test("ID-4: a client whose position is lost while it joins gets the replay it asked for", async () => {
    const survived = [afresh(1), afresh(2), afresh(3)];
    const broadcaster = new Broadcaster();
    const after = { epoch: "e1", offset: 9 };
    const source = sourceOf(broadcaster, lostTo(survived), survived);
    const watcher = new Watcher(source, { mode: "all", after });
    move(broadcaster, lostTo(survived));
    watcher.begin();
    await turn();
    expect(watcher.wire.offsets).toEqual([1, 2, 3]);
  });

  test("ID-4: a client that was told once is not told again of a loss of which it saw nothing", () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin({ replay: [published(1)] });
    move(broadcaster, lostTo([]));
    move(broadcaster, lostTo([]));
    expect(watcher.wire.types).toEqual(["status_update", AGAIN]);
  });

  test("ID-4: a client whose position survived is not told, and goes on from there", async () => {
    const broadcaster = new Broadcaster();
    const survived = [published(1), published(2), afresh(3), afresh(4)];
    const watcher = new Watcher(sourceOf(broadcaster, forkedAfter(2, survived), survived)).begin();
    for (const offset of [1, 2]) broadcaster.push(published(offset));
    await turn();
    move(broadcaster, forkedAfter(2, survived));
    broadcaster.push(afresh(5));
    await turn();
    expect(ids(watcher)).toEqual(["e1-1", "e1-2", "e2-3", "e2-4", "e2-5"]);
  });

  test("ID-4: only that watcher is told which was sent events that were lost", async () => {
    const broadcaster = new Broadcaster();
    const events = [1, 2, 3].map((offset) => published(offset)).concat(afresh(4));
    const survived = forkedAfter(3, events);
    const source = sourceOf(broadcaster, survived, events);
    const [fast, slow] = [new Watcher(source).begin(), new Watcher(source).begin()];
    slow.wire.takeOnly(2);
    for (let offset = 1; offset <= 4; offset++) {
      broadcaster.push(published(offset));
      await turn();
    }
    move(broadcaster, survived);
    slow.drain();
    await turn();
    expect(ids(fast).slice(4)).toEqual([undefined, "e2-4"]);
    expect(ids(slow)).toEqual(["e1-1", "e1-2", "e1-3", "e2-4"]);
  });

  test("ID-4: events of the lost history that waited are never sent", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    watcher.wire.takeOnly(1);
    for (let offset = 1; offset <= 5; offset++) {
      broadcaster.push(published(offset));
      await turn();
    }
    const { next } = broadcaster;
    move(broadcaster, lostTo([afresh(1)]));
    watcher.drain();
    expect(watcher.wire.types).toEqual(["status_update", AGAIN, "status_update"]);
    expect(ids(watcher).at(-1)).toBe("e2-1");
    expect(broadcaster.at(next - 1)).toBeUndefined();
  });

  test("ID-4: a watcher that asked for the whole history gets the whole again, the others the latest", async () => {
    const broadcaster = new Broadcaster();
    const events = [afresh(1), afresh(2), afresh(3)];
    const source = sourceOf(broadcaster, lostTo(events), events);
    const [latest, all] = [new Watcher(source).begin(), new Watcher(source, { mode: "all" }).begin()];
    move(broadcaster, lostTo(events));
    await turn();
    expect([latest.wire.offsets, all.wire.offsets]).toEqual([[3], [1, 2, 3]]);
  });

  test("ID-4: a delivery whose history is lost before it began begins with what survived, then follows", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster));
    broadcaster.push(published(1));
    move(broadcaster, lostTo([afresh(1)]));
    broadcaster.push(afresh(2));
    await turn();
    const told = (resumed: false | null) =>
      resumedOf({ type: "latest", mode: "latest", resumed }, watcher.delivery.survivedMove);
    expect([told(false), told(null)]).toEqual([false, null]);
    watcher.begin({ replay: [published(1)] });
    expect(ids(watcher)).toEqual(["e2-1", "e2-2"]);
  });

  test.each([
    ["survived", true, ["e1-2", "e2-3"]],
    ["was lost", false, ["e2-3"]],
  ] as const)("RES-3: a position that %s before it began is judged anew", async (how, resumed, sent) => {
    const broadcaster = new Broadcaster();
    const after = { epoch: how === "survived" ? "e1" : "e0", offset: 1 };
    const survived = [published(1), published(2), afresh(3)];
    const source = sourceOf(broadcaster, forkedAfter(2, survived), survived);
    const watcher = new Watcher(source, { after });
    move(broadcaster, forkedAfter(2, survived));
    const prepared = { type: "ring", resumed: true, after, cursor: broadcaster.next } as const;
    expect(resumedOf(prepared, watcher.delivery.survivedMove)).toBe(resumed);
    watcher.begin();
    await turn();
    expect(ids(watcher)).toEqual([...sent]);
  });

  test.each([
    ["was lost whole", [afresh(1), afresh(2)], 0, ["e2-1", "e2-2"]],
    ["went on otherwise", [published(1), published(2), afresh(3)], 2, ["e2-3"]],
  ] as const)(
    "ID-4: a client that asked for no replay, and was sent nothing of a history that %s, gets all since it began",
    async (_, survived, shared, sent) => {
      const broadcaster = new Broadcaster();
      const history = forkedAfter(shared, survived);
      const kept = shared === 0 ? lostTo(survived).kept : history.kept;
      const source = sourceOf(broadcaster, { ...history, kept }, survived);
      const began = { position: { epoch: "e1", offset: 5 } };
      const watcher = new Watcher(source, { mode: "none" }).begin(began);
      move(broadcaster, { ...history, kept });
      await turn();
      expect(ids(watcher)).toEqual([...sent]);
    },
  );

  test("ID-4: a replay that leads to another history than it was to end on is broken off, not sent", async () => {
    const broadcaster = new Broadcaster();
    const events = [published(1), published(2), afresh(3)];
    const source = sourceOf(broadcaster, forkedAfter(2, events), events);
    const reasons: string[] = [];
    const replays = { ...source.replays, resync: (reason: string) => void reasons.push(reason) };
    const watcher = new Watcher({ broadcaster, replays });
    const rest = { after: { epoch: "e1", offset: 1 }, until: { epoch: "e1", offset: 3 } };
    watcher.begin({ position: rest.after, hasSeen: true, rest });
    await turn();
    expect([reasons, watcher.wire.frames]).toEqual([["replay_broken_off"], []]);
    move(broadcaster, forkedAfter(2, events));
    await turn();
    expect(ids(watcher)).toEqual(["e1-2", "e2-3"]);
  });

  test("ID-4: a client that was sent nothing, and missed events that are trimmed by now, is told all the same", () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin({ position: { epoch: "e2", offset: 1 } });
    move(broadcaster, lostTo([afresh(7)], 5));
    expect(watcher.wire.types).toEqual([AGAIN, "status_update"]);
  });
});

describe("a delivery until=terminal", () => {
  const watching = () => {
    const broadcaster = new Broadcaster();
    return { broadcaster, watcher: new Watcher(sourceOf(broadcaster), { untilTerminal: true }) };
  };

  test("RES-5: ends once the terminal event and all that came with it were sent", async () => {
    const { broadcaster, watcher } = watching();
    watcher.begin();
    broadcaster.push(published(1));
    await turn();
    expect(watcher.owner.timesFinished).toBe(0);
    broadcaster.push(published(2, result()));
    broadcaster.push(published(3, { ...status(), kind: "status_completed" }));
    await turn();
    expect([watcher.owner.timesFinished, watcher.wire.offsets]).toEqual([1, [1, 2, 3]]);
  });

  test("RES-5: ends with a replay that ends with it, at the pace of the socket", () => {
    const { watcher } = watching();
    watcher.wire.takeOnly(0);
    watcher.writer.sendControl(controlFrame("{}"));
    watcher.begin({ replay: [published(1), published(2, fault())] });
    expect(watcher.owner.timesFinished).toBe(0);
    watcher.drain();
    expect(watcher.owner.timesFinished).toBe(1);
  });

  test("RES-5: a terminal event that was reopened ends nothing", async () => {
    const { broadcaster, watcher } = watching();
    watcher.begin({ replay: [published(1, result()), published(2, status(), { reopens: true })] });
    broadcaster.push(published(3));
    await turn();
    expect(watcher.owner.timesFinished).toBe(0);
    broadcaster.push(published(4, fault()));
    await turn();
    expect(watcher.owner.timesFinished).toBe(1);
  });

  test("RES-5: one that the client had already seen ends it at once", () => {
    const { watcher } = watching();
    watcher.begin({ hasCurrentTerminal: true });
    expect([watcher.owner.timesFinished, watcher.wire.frames.length]).toEqual([1, 0]);
  });

  test("without it a terminal event ends nothing", async () => {
    const broadcaster = new Broadcaster();
    const watcher = new Watcher(sourceOf(broadcaster)).begin();
    broadcaster.push(published(1, result()));
    await turn();
    expect(watcher.owner.timesFinished).toBe(0);
  });
});
