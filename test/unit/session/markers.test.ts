import { describe, expect, test } from "bun:test";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { formatEventId } from "../../../src/domain/event-position.ts";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { turn } from "../../support/turn.ts";
import { INTERVAL, sessionBench } from "./session-bench.ts";

const ping = '{"type":"ping"}';

describe("a watcher that asked for markers", () => {
  test.each([
    ["latest", [3]],
    ["all", [1, 2, 3]],
    ["none", []],
  ] as const)(
    "MRK-1: gets caught_up after replay=%s, with the position of the last event",
    async (mode, sent) => {
      const { publish, watch, analysisId, clock } = sessionBench();
      const position = await publish(status(), status(), status());
      const { wire } = await watch("alice", { markers: true, replay: { mode, after: undefined } });
      expect(wire.offsets).toEqual([...sent]);
      expect(wire.messages.at(-1)).toEqual({
        event_type: "caught_up",
        analysis_id: analysisId,
        last_event_id: formatEventId(position),
        timestamp: new Date(clock.now()).toISOString(),
      });
      await publish();
      expect(wire.types.filter((type) => type === "caught_up")).toHaveLength(1);
    },
  );

  test("MRK-1: gets it with position 0 for an analysis that nobody has heard of", async () => {
    const { watch } = sessionBench();
    const { wire } = await watch("alice", { markers: true });
    expect(wire.types).toEqual(["connection_established", "caught_up"]);
    expect(wire.messages[1]?.last_event_id).toBe("0");
  });

  test("MRK-1: gets it after a resumed replay, also an empty one, and before the end that was asked for", async () => {
    const { publish, watch } = sessionBench();
    const first = await publish();
    const last = await publish(status(), result());
    const resumed = await watch("alice", { markers: true, replay: { mode: "latest", after: first } });
    expect(resumed.wire.offsets).toEqual([2, 3]);
    expect(resumed.wire.messages.at(-1)?.last_event_id).toBe(formatEventId(last));
    const empty = await watch("alice", { markers: true, replay: { mode: "none", after: last } });
    expect(empty.wire.types).toEqual(["connection_established", "caught_up"]);
    const ended = await watch("alice", { markers: true, untilTerminal: true });
    expect(ended.wire.types.slice(-2)).toEqual(["result_update", "caught_up"]);
    expect(ended.wire.closedWith).toBe(1000);
  });

  test("MRK-1: gets it only when all of the replay went out, if its client is slow", async () => {
    const { publish, watch, upgrade, tokens } = sessionBench();
    const position = await publish(status(), status(), status());
    await watch();
    const { wire, session } = upgrade(tokens.know("slow"), {
      markers: true,
      replay: { mode: "all", after: undefined },
    });
    wire.takeOnly(1);
    await turn();
    expect(wire.types).not.toContain("caught_up");
    wire.takeAll();
    session.drained();
    await turn();
    expect(wire.offsets).toEqual([1, 2, 3]);
    expect(wire.messages.at(-1)).toMatchObject({
      event_type: "caught_up",
      last_event_id: formatEventId(position),
    });
  });

  test("MRK-1: gets it again after a replay that follows a lost history", async () => {
    const { publish, watch, broker, pubSub } = sessionBench();
    await publish();
    const { wire } = await watch("alice", { markers: true });
    broker.loseEverything();
    pubSub.breakLink();
    pubSub.restoreLink();
    await turn();
    const position = await publish();
    await turn();
    expect(wire.types.filter((type) => type === "caught_up")).toHaveLength(2);
    expect(wire.messages.findLast(({ event_type }) => event_type !== "status_update")).toMatchObject({
      event_type: "caught_up",
    });
    expect(wire.messages.at(-1)?.event_id).toBe(formatEventId(position));
  });

  test("MRK-1: gets it for each analysis of /ws", async () => {
    const { publish, publishTo, open, analysisId } = sessionBench();
    const other = someAnalysis();
    const position = await publish();
    await publishTo(other);
    const { wire, say } = await open("alice", { markers: true });
    say({ type: "subscribe", analysis_id: analysisId });
    say({ type: "subscribe", analysis_id: analysisIdOf(other), replay: "none" });
    await turn();
    const markers = wire.messages.filter(({ event_type }) => event_type === "caught_up");
    expect(new Set(markers.map((marker) => marker.analysis_id))).toEqual(
      new Set([analysisId, analysisIdOf(other)]),
    );
    expect(markers.find((marker) => marker.analysis_id === analysisId)?.last_event_id).toBe(
      formatEventId(position),
    );
  });

  test("MRK-2: gets heartbeat and pong with the position up to which everything was sent", async () => {
    const { publish, watch, pass } = sessionBench();
    const { wire, session } = await watch("alice", { markers: true });
    const position = await publish(status(), status());
    session.received(ping);
    expect(wire.messages.at(-1)).toMatchObject({ message: "pong", last_event_id: formatEventId(position) });
    pass(INTERVAL + 500);
    expect(wire.messages.at(-1)).toMatchObject({ message: "ping", last_event_id: formatEventId(position) });
  });

  test("MRK-2: is never told a position beyond what was sent, while statuses wait or are conflated", async () => {
    const { publish, watch } = sessionBench();
    const { wire, session } = await watch("alice", { markers: true });
    const sent = await publish();
    wire.takeOnly(1);
    await publish();
    const last = await publish(status(), status(), status());
    wire.takeAll();
    session.received(ping);
    // The writer does not know yet that the socket takes more, so a pong is left out.
    expect(wire.types.at(-1)).toBe("status_update");
    session.drained();
    session.received(ping);
    expect(wire.offsets).toEqual([1, 2, 5]);
    expect(wire.messages.at(-1)?.last_event_id).toBe(formatEventId(last));
    expect(formatEventId(sent)).not.toBe(formatEventId(last));
  });

  test("MRK-2: is not told the position of an event that the gateway has and did not send yet", async () => {
    const { publish, watch, elsewhere, channel, pubSub } = sessionBench();
    const { wire, session } = await watch("alice", { markers: true });
    const sent = await publish();
    pubSub.holdsMail = true;
    await elsewhere.append({ channel, events: [status()] });
    pubSub.deliver();
    session.received(ping);
    const before = wire.messages.findLast(({ message }) => message === "pong");
    const isSent = wire.offsets.length === 2;
    expect([before?.last_event_id === formatEventId(sent), isSent]).toEqual([true, false]);
    await turn();
    expect(wire.offsets).toEqual([1, 2]);
  });

  test("MRK-2: gets no position in a heartbeat on /ws, and none if it did not ask", async () => {
    const { watch, open } = sessionBench();
    const many = await open("alice", { markers: true });
    many.say({ type: "ping" });
    const one = await watch();
    one.session.received(ping);
    for (const { wire } of [many, one]) {
      expect(wire.messages.at(-1)).toMatchObject({ message: "pong" });
      expect(wire.messages.at(-1)).not.toHaveProperty("last_event_id");
      expect(wire.types).not.toContain("caught_up");
    }
  });
});
