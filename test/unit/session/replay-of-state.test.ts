import { describe, expect, test } from "bun:test";
import { FairQueue } from "../../../src/application/fair-queue.ts";
import { stateText } from "../../../src/application/folded-state.ts";
import { ReadAnalysis } from "../../../src/application/read-analysis.ts";
import { formatEventId, parseEventId } from "../../../src/domain/event-position.ts";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";
import { STALL, sessionBench } from "./session-bench.ts";

const STATE = { mode: "state", after: undefined } as const;

describe("a watcher that asked for replay=state", () => {
  test("RES-10: gets the object of GET /v1/analyses/{id} in one frame, then everything after it", async () => {
    const { publish, watch, services, pubSub, clock, analysisId } = sessionBench();
    const position = await publish(status({ stage: "uploading" }), status(), result());
    const { wire } = await watch("alice", { replay: STATE });
    const last = await publish(status());
    const read = new ReadAnalysis(pubSub, new FairQueue(clock), services.access, STALL);
    expect(wire.types).toEqual(["connection_established", "analysis_state", "status_update"]);
    const { event_type, ...state } = wire.messages[1] ?? {};
    expect(state).toMatchObject({ status: "completed", last_event_id: formatEventId(position) });
    expect((state as { stages?: unknown[] }).stages).toHaveLength(2);
    expect(wire.messages[1]).not.toHaveProperty("event_id");
    expect(wire.messages[2]?.event_id).toBe(formatEventId(last));
    const again = await watch("alice", { replay: STATE });
    const answer = await read.execute({
      analysisId,
      grant: someGrant({ userId: "alice" }),
      abandoned: new AbortController().signal,
    });
    if (answer.type !== "state") throw new Error("it may be read");
    expect(again.wire.frames[1]).toBe(`{"event_type":"analysis_state",${stateText(answer).slice(1)}`);
  });

  test("RES-10: gets the state of an analysis that nobody has heard of", async () => {
    const { watch } = sessionBench();
    const { wire } = await watch("alice", { replay: STATE, markers: true });
    expect(wire.messages[1]).toMatchObject({ status: "unknown", last_event_id: "0" });
    expect(wire.messages[2]).toMatchObject({ event_type: "caught_up", last_event_id: "0" });
  });

  test("RES-10: gets no state if its position is good, and the state if it is gone", async () => {
    const { publish, watch } = sessionBench();
    const after = await publish();
    await publish();
    const good = await watch("alice", { replay: { mode: "state", after } });
    expect([good.wire.types.includes("analysis_state"), good.wire.offsets]).toEqual([false, [2]]);
    const gone = await watch("alice", { replay: { mode: "state", after: "unreadable" } });
    expect([gone.wire.messages[0]?.resumed, gone.wire.types[1]]).toEqual([false, "analysis_state"]);
  });

  test("RES-10: gets it on /ws, behind subscribed", async () => {
    const { publish, open, analysisId } = sessionBench();
    await publish();
    const { wire, say } = await open();
    say({ type: "subscribe", analysis_id: analysisId, replay: "state" });
    await turn();
    await publish();
    expect(wire.types.slice(1)).toEqual(["subscribed", "analysis_state", "status_update"]);
    expect(wire.messages[2]).toMatchObject({ analysis_id: analysisId, status: "running" });
  });

  test("RES-10: ends with the state for until=terminal if a terminal event is current", async () => {
    const { publish, watch } = sessionBench();
    await publish(status(), result());
    const { wire } = await watch("alice", { replay: STATE, untilTerminal: true });
    expect([wire.types, wire.closedWith]).toEqual([["connection_established", "analysis_state"], 1000]);
    await publish();
    const reopened = await watch("alice", { replay: STATE, untilTerminal: true });
    expect(reopened.wire.closes).toEqual([]);
  });

  test("RES-10: shares one read of the broker with all who ask at once", async () => {
    const { publish, watch, upgrade, tokens, pubSub } = sessionBench();
    await publish();
    await watch();
    let snapshots = 0;
    const read = pubSub.snapshot.bind(pubSub);
    pubSub.snapshot = (channel) => {
      snapshots++;
      return read(channel);
    };
    const crowd = Array.from({ length: 100 }, (_, index) =>
      upgrade(tokens.know(`t${index}`, { userId: `u${index}` }), { replay: STATE }),
    );
    await turn();
    await turn();
    expect(crowd.every(({ wire }) => wire.types.includes("analysis_state"))).toBe(true);
    expect(snapshots).toBeLessThan(4);
  });

  test.each([undefined, "given"])(
    "RES-11: gets the state of what survived when the history is lost, position %s at the start",
    async (given) => {
      const { publish, watch, broker, pubSub } = sessionBench();
      const after = await publish();
      const { wire } = await watch("alice", {
        markers: true,
        replay: { mode: "state", after: given === undefined ? undefined : after },
      });
      await publish();
      broker.loseEverything();
      pubSub.breakLink();
      pubSub.restoreLink();
      await turn();
      const position = await publish();
      await turn();
      const at = wire.messages.findIndex(({ resumed }) => resumed === false);
      expect(wire.types.slice(at, at + 3)).toEqual(["connection_established", "analysis_state", "caught_up"]);
      expect(wire.messages.at(-1)?.event_id).toBe(formatEventId(position));
    },
  );

  test("RES-11: gets it when the broker answers again, and the events of meanwhile after it", async () => {
    const { publish, watch, broker, pubSub, pass } = sessionBench();
    await publish();
    const { wire } = await watch("alice", { replay: STATE });
    broker.loseEverything();
    await publish(status(), status());
    pubSub.breakLink();
    pubSub.restoreLink();
    await turn();
    pass(1_000);
    await turn();
    await publish();
    await turn();
    const at = wire.types.lastIndexOf("analysis_state");
    const { offset } = parseEventId(String(wire.messages[at]?.last_event_id)) ?? { offset: -1 };
    expect(wire.messages.filter(({ resumed }) => resumed === false)).toHaveLength(1);
    const after = wire.messages.slice(at + 1).map(({ event_id }) => parseEventId(event_id ?? "")?.offset);
    expect([offset, ...after]).toEqual([0, 1, 2, 3].slice(offset));
  });
});
