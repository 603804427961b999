import { describe, expect, test } from "bun:test";
import { turn } from "../../support/turn.ts";
import { NOTHING, sessionBench } from "./session-bench.ts";

describe("a watcher that asked for resume=strict", () => {
  test("RES-12: is resumed from a good position, and begins as asked without one", async () => {
    const { publish, watch } = sessionBench();
    const after = await publish();
    await publish();
    const good = await watch("alice", { strict: true, replay: { mode: "latest", after } });
    expect([good.wire.messages[0]?.resumed, good.wire.offsets]).toEqual([true, [2]]);
    const fresh = await watch("alice", { strict: true });
    expect([fresh.wire.messages[0]?.resumed, fresh.wire.offsets]).toEqual([null, [2]]);
  });

  test("RES-12: is closed with 4010 and sent nothing if its position is gone", async () => {
    const { publish, watch, books } = sessionBench();
    await publish();
    const { wire, hangUp } = await watch("alice", {
      strict: true,
      replay: { mode: "all", after: { epoch: "another", offset: 1 } },
    });
    expect([wire.frames, wire.closes[0]]).toEqual([[], { code: 4010, reason: "position_gone" }]);
    hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("RES-12: is closed with 4010, in place of a replay, if the history is lost while it watches", async () => {
    const { publish, watch, broker, pubSub } = sessionBench();
    await publish();
    const { wire } = await watch("alice", { strict: true });
    broker.loseEverything();
    pubSub.breakLink();
    pubSub.restoreLink();
    await turn();
    expect(wire.closes[0]).toEqual({ code: 4010, reason: "position_gone" });
    expect(wire.messages.some(({ resumed }) => resumed === false)).toBe(false);
  });

  test.each([
    ["the query", { strict: true }, {}],
    ["the frame", {}, { resume: "strict" }],
  ])("RES-12: is refused that analysis alone on /ws, asked by %s", async (_, intent, fields) => {
    const { publish, open, analysisId, broker, pubSub, feeds } = sessionBench();
    await publish();
    const { wire, say } = await open("alice", intent);
    const frame = { type: "subscribe", analysis_id: analysisId, ...fields };
    say({ ...frame, last_event_id: "another-1" });
    await turn();
    expect(wire.messages.at(-1)).toMatchObject({
      event_type: "subscription_refused",
      analysis_id: analysisId,
      code: "position_gone",
    });
    say(frame);
    await turn();
    expect(wire.types.at(-1)).toBe("status_update");
    broker.loseEverything();
    pubSub.breakLink();
    pubSub.restoreLink();
    await turn();
    expect(wire.messages.at(-1)).toMatchObject({ code: "position_gone" });
    expect(wire.closes).toEqual([]);
    expect([...feeds.analyses()]).toHaveLength(0);
  });
});
