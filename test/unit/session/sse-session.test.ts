import { describe, expect, test } from "bun:test";
import { AccessGrant } from "../../../src/domain/access-grant.ts";
import { CLOSE_CODES } from "../../../src/domain/close-code.ts";
import { type SseRequest, SseSession } from "../../../src/session/sse-session.ts";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { RecordingConnection } from "../../../src/testing/recording-connection.ts";
import { turn } from "../../support/turn.ts";
import { type BenchOptions, NOTHING, sessionBench } from "./session-bench.ts";

describe("SseSession", () => {
  const streaming = (options: BenchOptions = {}) => {
    const bench = sessionBench(options);
    const open = async (request: Partial<SseRequest> = {}) => {
      const wire = new RecordingConnection();
      const token = bench.tokens.know("token of alice", { userId: "alice" });
      const asked: SseRequest = {
        analysisId: bench.analysisId,
        userId: "alice",
        grant: new AccessGrant(await bench.tokens.verify(token)),
        replay: { mode: "latest", after: undefined },
        untilTerminal: false,
        markers: false,
        strict: false,
        conflates: true,
        faults: [],
        ...request,
      };
      const session = new SseSession(wire, asked, bench.services);
      return { wire, session, answer: await session.opened() };
    };
    return { ...bench, open };
  };

  test("SSE-1: sends connection_established, then the replay, then live events, as a WebSocket does", async () => {
    const { open, watch, publish } = streaming();
    await publish(status(), result());
    const { wire, answer } = await open();
    const socket = await watch();
    await publish();
    expect(answer).toEqual({ type: "streaming" });
    expect(wire.types).toEqual(socket.wire.types);
    expect(wire.offsets).toEqual([1, 2, 3]);
  });

  test("SSE-3: sends nothing to a client that saw the end, and leaves nothing behind", async () => {
    const { open, publish, books } = streaming();
    const after = await publish(status(), result());
    const { wire, answer } = await open({ untilTerminal: true, replay: { mode: "latest", after } });
    expect(answer).toEqual({ type: "nothing_left" });
    expect([wire.frames, books()]).toEqual([[], NOTHING]);
  });

  test("SSE-3: ends with the terminal event for until=terminal, and leaves nothing behind", async () => {
    const { open, publish, books } = streaming();
    const { wire } = await open({ untilTerminal: true });
    await publish(status(), result());
    expect([wire.offsets, wire.closedWith]).toEqual([[1, 2], 1000]);
    expect(books()).toEqual(NOTHING);
  });

  test("SSE-4: answers a refused client with the refusal, sends nothing and leaves nothing behind", async () => {
    const { open, elsewhere, channel, books } = streaming({ maxConnections: 1 });
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    const { wire, answer } = await open();
    expect([answer, wire.frames, books()]).toEqual([{ type: "refused", code: "not_allowed" }, [], NOTHING]);
    await elsewhere.declareViewers(channel, new Set(["alice"]));
    const [first, second] = [await open(), await open()];
    expect(first.answer).toEqual({ type: "streaming" });
    expect(second.answer).toEqual({ type: "refused", code: "over_capacity" });
    first.session.left();
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-8: answers with not_declared if nobody declared viewers", async () => {
    const { open, books } = streaming({ watchDefault: "deny" });
    expect((await open()).answer).toEqual({ type: "refused", code: "not_declared" });
    expect(books()).toEqual(NOTHING);
  });

  test("WS-13: leaves nothing behind when the gateway closes it, for nobody reports that end", async () => {
    const { open, books, publish, pass } = streaming();
    const { session, wire } = await open();
    session.close(CLOSE_CODES.goingAway, "retry_after_ms=1");
    expect(books()).toEqual(NOTHING);
    const sent = wire.frames.length;
    await publish();
    pass(60_000);
    session.drained();
    expect([wire.frames.length, wire.pings]).toEqual([sent, 0]);
  });

  test("ADM-12: ends alone if its connection throws, and a WebSocket beside it goes on", async () => {
    const { open, watch, publish, books } = streaming();
    const { wire } = await open();
    const socket = await watch();
    wire.throwOn("everything");
    await publish();
    await turn();
    expect(socket.wire.offsets).toEqual([1]);
    expect(books()).toMatchObject({ total_connections: 1, open: 1 });
  });
});
