import { describe, expect, test } from "bun:test";
import { WatchRefused } from "../../../../src/client/watch/watch.ts";
import {
  ANALYSIS,
  collect,
  live,
  ScriptedGateway,
  sendState,
  sentBy,
  settled,
  status,
  verdict,
} from "./scripted-gateway.ts";

describe("watch() beginning", () => {
  test("offers the token as a subprotocol and keeps it out of the address", async () => {
    const { socket } = await live(new ScriptedGateway());
    expect(socket.url).toBe("wss://gateway.example/telltale/ws?markers=1&conflate=none");
    expect(socket.protocols).toEqual(["telltale.v1", "bearer.a.b.c"]);
  });

  test("SDK-12: asks for the state, and gives it first", async () => {
    const { socket, events, watch } = await live(new ScriptedGateway());
    expect(sentBy(socket)).toEqual([{ type: "subscribe", analysis_id: ANALYSIS, replay: "state" }]);
    expect(events.map(({ event_type }) => event_type)).toEqual(["analysis_state", "caught_up"]);
    expect(watch.getSnapshot()).toMatchObject({
      connection: { status: "live", transport: "websocket" },
      analysis: { status: "running", last_event_id: "e-1" },
      stalled: false,
      cancelRequested: null,
    });
    expect(watch.getSnapshot().analysis).not.toHaveProperty("event_type");
  });

  test("says nothing of the analysis until the gateway has", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    expect(watch.getSnapshot()).toEqual({
      connection: { status: "connecting" },
      analysis: null,
      stalled: false,
      cancelRequested: null,
    });
    (await gateway.socket()).establish();
    expect(watch.getSnapshot().connection.status).toBe("live");
    expect(watch.getSnapshot().analysis).toBeNull();
  });
});

describe("watch() events", () => {
  test("SDK-11: gives each event once and in order, notices and unknown types as well, and folds those of the analysis", async () => {
    const { socket, events, watch } = await live(new ScriptedGateway());
    socket.serverSends(status("e-2", { my_own: 7 }));
    socket.serverSends({ event_type: "heartbeat", message: "ping" });
    socket.serverSends({ event_id: "n-1", event_type: "notice", message: "hello" });
    socket.serverSends({ event_id: "e-3", event_type: "of_tomorrow", analysis_id: ANALYSIS });
    socket.serverSends(verdict("e-4"));
    await settled();
    expect(events.slice(2).map((event) => "event_id" in event && event.event_id)).toEqual([
      "e-2",
      "n-1",
      "e-3",
      "e-4",
    ]);
    expect(events[2]).toMatchObject({ my_own: 7 });
    expect(watch.getSnapshot().analysis).toMatchObject({
      status: "completed",
      last_event_id: "e-4",
      result: { event_id: "e-4" },
      stages: [{ stage: "model_inference", ended_at: "2026-11-24T10:00:09Z" }],
    });
  });

  test("keeps the snapshot's identity until something changes, and tells subscribers of each change", async () => {
    const { socket, watch } = await live(new ScriptedGateway());
    let calls = 0;
    const leave = watch.subscribe(() => {
      calls += 1;
    });
    const before = watch.getSnapshot();
    socket.serverSends({ event_type: "heartbeat", message: "ping" });
    socket.serverSends({ event_type: "protocol_error", code: "unknown_type", message: "what is this" });
    expect(watch.getSnapshot()).toBe(before);
    expect(calls).toBe(0);
    socket.serverSends(status("e-2"));
    expect(watch.getSnapshot()).not.toBe(before);
    expect(calls).toBe(1);
    leave();
    socket.serverSends(status("e-3"));
    expect(calls).toBe(1);
  });

  test("shows a worker that fell silent and a request to cancel, beside the connection", async () => {
    const { socket, watch } = await live(new ScriptedGateway());
    const about = { analysis_id: ANALYSIS };
    socket.serverSends({ event_type: "state_changed", ...about, status: "stalled", silent_since: "x" });
    const request = { requested_at: "2026-11-24T10:00:00Z", user_id: "alice", reason: null };
    socket.serverSends({ event_type: "cancel_requested", ...about, ...request });
    expect(watch.getSnapshot()).toMatchObject({
      stalled: true,
      cancelRequested: request,
      connection: { status: "live" },
    });
    socket.serverSends({ event_type: "state_changed", ...about, status: "running", silent_since: null });
    expect(watch.getSnapshot().stalled).toBe(false);
  });

  test("gives one that iterates late the state as it is, and then what follows", async () => {
    const { socket, watch } = await live(new ScriptedGateway());
    socket.serverSends(status("e-2"));
    const { events } = collect(watch);
    await settled();
    socket.serverSends(status("e-3"));
    await settled();
    expect(events).toMatchObject([
      { event_type: "analysis_state", last_event_id: "e-2" },
      { event_id: "e-3" },
    ]);
  });
});

describe("watch() coming back", () => {
  test("SDK-13: goes on after the last event, never a notice's position", async () => {
    const gateway = new ScriptedGateway();
    const { socket, events, watch } = await live(gateway);
    socket.serverSends(status("e-7"));
    socket.serverSends({ event_id: "n-9", event_type: "notice", message: "hello" });
    socket.serverCloses(1006);
    expect(watch.getSnapshot()).toMatchObject({
      connection: { status: "waiting", code: 1006 },
      analysis: { status: "running", last_event_id: "e-7" },
    });
    gateway.clock.advance(250);
    const again = await gateway.socket(2);
    again.establish();
    expect(sentBy(again)).toEqual([
      { type: "subscribe", analysis_id: ANALYSIS, replay: "state", last_event_id: "e-7" },
    ]);
    again.serverSends({ event_type: "subscribed", analysis_id: ANALYSIS, resumed: true });
    again.serverSends(status("e-8"));
    await settled();
    expect(events.filter((event) => "event_id" in event)).toHaveLength(3);
  });

  test("SDK-12: begins afresh with the state if the position is gone, also amid a connection", async () => {
    const { socket, events, watch } = await live(new ScriptedGateway());
    socket.serverSends(status("e-2"));
    socket.serverSends({ event_type: "subscribed", analysis_id: ANALYSIS, resumed: false });
    // It belongs to no replay that this client asked for.
    socket.serverSends(status("f-9", { message: "void" }));
    socket.serverSends({
      event_type: "analysis_state",
      analysis_id: ANALYSIS,
      status: "queued",
      stages: [],
      last_event_id: "f-1",
    });
    await settled();
    expect(watch.getSnapshot().analysis).toMatchObject({ status: "queued", last_event_id: "f-1" });
    expect(events.map(({ event_type }) => event_type)).toEqual([
      "analysis_state",
      "caught_up",
      "status_update",
      "analysis_state",
    ]);
  });

  test("comes back when what answers speaks something else", async () => {
    const { socket, watch } = await live(new ScriptedGateway());
    socket.serverSends("hello");
    expect(socket.closedWith).toBe(1000);
    expect(watch.getSnapshot().connection).toMatchObject({ status: "waiting", code: 1006 });
  });
});

describe("watch() ending", () => {
  test("SDK-18: leaves nothing behind when the last one closes, by close(), by its signal, or by leaving the loop", async () => {
    for (const way of ["close", "signal", "break"]) {
      const gateway = new ScriptedGateway();
      const abort = new AbortController();
      const watch = gateway.watch({ signal: abort.signal });
      const left = (async () => {
        for await (const event of watch) if (way === "break" && event.event_type === "caught_up") break;
      })();
      const socket = await gateway.socket();
      socket.establish();
      sendState(socket);
      if (way === "close") watch.close();
      if (way === "signal") abort.abort();
      await left;
      expect(watch.getSnapshot().connection).toEqual({ status: "closed" });
      gateway.clock.advance(1_000);
      expect(socket.closedWith).toBe(1000);
      expect(gateway.leftovers).toBe(0);
    }
  });

  test("opens nothing if its signal has been aborted before", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch({ signal: AbortSignal.abort() });
    await collect(watch).over;
    expect(gateway.sockets).toHaveLength(0);
    expect(gateway.leftovers).toBe(0);
  });

  test("until terminal: finishes after the end of the analysis, and not before the replay has told it all", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch({ until: "terminal" });
    const { events, over } = collect(watch);
    const socket = await gateway.socket();
    socket.establish();
    socket.serverSends({ event_type: "subscribed", analysis_id: ANALYSIS, resumed: null });
    socket.serverSends({
      event_type: "analysis_state",
      analysis_id: ANALYSIS,
      status: "failed",
      stages: [],
      result: null,
      error: status("e-1"),
      last_event_id: "e-1",
    });
    expect(watch.getSnapshot().connection.status).toBe("live");
    socket.serverSends(status("e-2", { message: "tried again" }));
    socket.serverSends({ event_type: "caught_up", analysis_id: ANALYSIS, last_event_id: "e-2" });
    expect(watch.getSnapshot().connection.status).toBe("live");
    socket.serverSends(verdict("e-3"));
    expect(watch.getSnapshot().connection.status).toBe("finished");
    expect(await over).toBeUndefined();
    expect(events.at(-1)).toMatchObject({ event_id: "e-3" });
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });

  test("throws WatchRefused in the loop if the gateway refuses for good, and leaves nothing behind", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    const { over } = collect(watch);
    (await gateway.socket()).serverCloses(4003, "origin");
    const error = await over;
    expect(error).toBeInstanceOf(WatchRefused);
    expect(error).toMatchObject({ code: 4003, message: "origin" });
    expect(watch.getSnapshot().connection).toEqual({ status: "refused", code: 4003, reason: "origin" });
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });

  test("reports the fault of one subscriber and tells the others all the same", async () => {
    const gateway = new ScriptedGateway();
    const { socket, watch } = await live(gateway);
    let calls = 0;
    watch.subscribe(() => {
      throw new Error("a fault of the page");
    });
    watch.subscribe(() => {
      calls += 1;
    });
    socket.serverSends(status("e-2"));
    expect(calls).toBe(1);
    expect(gateway.faults).toMatchObject([{ message: "a fault of the page" }]);
  });
});
