import { describe, expect, test } from "bun:test";
import { SYSTEM_CHANNEL, userChannel } from "../../../src/domain/channel.ts";
import { notice, result, status } from "../../../src/testing/encoded-events.ts";
import { INTERVAL, sessionBench } from "./session-bench.ts";

describe("WebSocketSession while it watches", () => {
  test("WS-10: sends a slow client every event in order, and delays no other client", async () => {
    const { watch, publish } = sessionBench();
    const [slow, good] = [await watch("alice", { conflates: false }), await watch("bob")];
    slow.wire.takeOnly(1);
    for (let offset = 1; offset <= 50; offset++) await publish();
    expect(good.wire.offsets).toHaveLength(50);
    expect(slow.wire.offsets).toEqual([1]);
    slow.wire.takeAll();
    slow.session.drained();
    expect(slow.wire.offsets).toEqual(good.wire.offsets);
  });

  test("ID-4: sends connection_established before the latest state if events that it sent did not survive", async () => {
    const { watch, publish, broker } = sessionBench();
    const { wire } = await watch();
    await publish(status(), status());
    broker.loseEverything();
    await publish(status(), result());
    expect(wire.types).toEqual([
      "connection_established",
      "status_update",
      "status_update",
      "connection_established",
      "status_update",
      "result_update",
    ]);
    expect(wire.messages[3]).toMatchObject({ resumed: false, connection_id: wire.id });
  });

  test("ID-6: sends event_id first in events and not at all in frames of the protocol", async () => {
    const { watch, publish, pass, clock } = sessionBench();
    const { session, wire } = await watch();
    await publish();
    session.received('{"type":"ping"}');
    session.received("{");
    clock.advance(1);
    for (let passed = 0; passed < 2; passed++) {
      session.ponged();
      pass(INTERVAL);
    }
    expect(wire.messages.filter(({ event_id }) => event_id !== undefined)).toHaveLength(1);
    expect(wire.frames.filter((frame) => frame.startsWith('{"event_id":"'))).toHaveLength(1);
    expect(new Set(wire.types)).toEqual(
      new Set(["connection_established", "status_update", "heartbeat", "protocol_error"]),
    );
  });

  test("WS-20: sends a heartbeat if it sent nothing for an interval", async () => {
    const { watch, pass, clock } = sessionBench();
    const { session, wire } = await watch();
    pass(INTERVAL + 500);
    session.ponged();
    expect(wire.messages.at(-1)).toMatchObject({ event_type: "heartbeat", message: "ping" });
    expect(Date.parse(String(wire.messages.at(-1)?.timestamp))).toBeLessThanOrEqual(clock.now());
    expect(wire.pings).toBe(1);
  });

  test("WS-8: takes any frame and any pong for a sign of life", async () => {
    const { watch, pass } = sessionBench();
    const [speaks, pongs, silent] = [await watch("a"), await watch("b"), await watch("c")];
    for (let round = 0; round < 5; round++) {
      pass(20_000);
      speaks.session.received('{"type":"ping"}');
      pongs.session.ponged();
    }
    expect([speaks, pongs, silent].map(({ wire }) => wire.closedWith)).toEqual([undefined, undefined, 4008]);
  });

  test("NOT-1: sends the notices for its user and for everybody, with an event_id of their own", async () => {
    const { watch, elsewhere, publish } = sessionBench();
    const [one, two, other] = [await watch("alice"), await watch("alice"), await watch("bob")];
    await elsewhere.append({ channel: userChannel("alice"), events: [notice({ note: "alice" })] });
    await elsewhere.append({ channel: SYSTEM_CHANNEL, events: [notice({ note: "all" })] });
    await publish();
    const notes = ({ wire }: typeof one) => wire.messages.flatMap(({ note }) => (note ? [note] : []));
    expect([notes(one), notes(two), notes(other)]).toEqual([["alice", "all"], ["alice", "all"], ["all"]]);
    expect(one.wire.offsets).toEqual([1, 1, 1]);
  });

  test("RES-5: closes with 1000 after the terminal event for until=terminal", async () => {
    const { watch, publish } = sessionBench();
    const { wire } = await watch("alice", { untilTerminal: true });
    await publish(status());
    expect(wire.closes).toEqual([]);
    await publish(result());
    expect(wire.types.at(-1)).toBe("result_update");
    expect(wire.closes).toEqual([{ code: 1000, reason: "finished" }]);
  });
});
