import { describe, expect, test } from "bun:test";
import type { WatchOptions } from "../../../src/client/watcher.ts";
import { ANALYSIS, startLive, startWatch, status } from "./watch-bench.ts";

describe("watchAnalysis() connecting", () => {
  test("offers the token as a subprotocol and keeps it out of the address", async () => {
    const { socket } = await startLive();
    expect(socket.url).toBe(`wss://gateway.example/telltale/ws/analysis/${ANALYSIS}`);
    expect(socket.protocols).toEqual(["telltale.v1", "bearer.a.b.c"]);
  });

  test("is live when the server says so, not before", async () => {
    const bench = startWatch();
    const socket = await bench.next();
    expect(bench.status()).toEqual({ kind: "connecting" });
    socket.establish();
    expect(bench.status()).toEqual({ kind: "live" });
  });

  test("tries again when the server accepts and then says nothing", async () => {
    const bench = startWatch();
    const socket = await bench.next();
    bench.clock.advance(10_000);
    expect(socket.closedWith).toBe(1000);
    expect(bench.status()).toMatchObject({ kind: "waiting", reason: "no answer from the server" });
  });

  test("waits and tries again when the token cannot be fetched", async () => {
    let calls = 0;
    const bench = startWatch({
      token: () => {
        calls += 1;
        if (calls === 1) throw new Error("offline");
        return "x.y.z";
      },
    });
    while (bench.status().kind !== "waiting") await Promise.resolve();
    expect(bench.status()).toMatchObject({ kind: "waiting", retryInMs: 375, reason: "no token: offline" });
    bench.clock.advance(375);
    expect((await bench.next()).protocols[1]).toBe("bearer.x.y.z");
  });

  test("refuses, once, if no WebSocket can be made of the address or token", async () => {
    const bench = startWatch({
      webSocket: class {
        constructor() {
          throw new SyntaxError("bad subprotocol");
        }
      } as unknown as NonNullable<WatchOptions["webSocket"]>,
    });
    while (bench.status().kind === "connecting") await Promise.resolve();
    expect(bench.status()).toMatchObject({ kind: "refused", reason: "bad subprotocol" });
    expect(bench.clock.pending).toBe(0);
  });
});

describe("watchAnalysis() events", () => {
  test("passes on events and notices with their text, and nothing else", async () => {
    const texts: string[] = [];
    const { socket, log } = await startLive({ onEvent: (_event, text) => texts.push(text) });
    const text = `{"event_id":"e-1","event_type":"status_update","nanos":12345678901234567890}`;
    socket.serverSends(text);
    socket.serverSends({ event_type: "heartbeat", message: "ping" });
    socket.serverSends({ event_type: "protocol_error", code: "x", message: "y" });
    socket.serverSends({ event_id: "n-9", event_type: "notice", message: "hello" });
    expect(texts).toEqual([text, `{"event_id":"n-9","event_type":"notice","message":"hello"}`]);
    expect(log).toEqual(["connecting", "live"]);
  });

  test("gives the position of the last event, never a notice's, when it comes back", async () => {
    const bench = await startLive();
    bench.socket.serverSends(status("e-7"));
    bench.socket.serverSends({ event_id: "n-9", event_type: "notice", message: "hello" });
    bench.socket.serverCloses(1006);
    bench.waitOut();
    expect((await bench.next()).url).toEndWith(`/ws/analysis/${ANALYSIS}?last_event_id=e-7`);
  });

  test("asks for the replay, the pace and the end that the caller wants, on each connection", async () => {
    const bench = await startLive({ query: { replay: "all", conflate: "none", until: "terminal" } });
    expect(bench.socket.url).toEndWith("?replay=all&conflate=none&until=terminal");
    bench.socket.serverSends(status("e-7"));
    bench.socket.serverCloses(1006);
    bench.waitOut();
    expect((await bench.next()).url).toEndWith("&until=terminal&last_event_id=e-7");
  });

  test("asks the caller to begin afresh, before the replay, when the position is gone", async () => {
    const bench = await startLive();
    bench.socket.serverSends(status("e-7"));
    bench.socket.serverCloses(1006);
    bench.waitOut();
    const again = await bench.next();
    again.establish({ resumed: false });
    again.serverSends(status("f-1"));
    expect(bench.log).toEqual([
      "connecting",
      "live",
      "event e-7",
      "waiting",
      "connecting",
      "restart",
      "live",
      "event f-1",
    ]);
  });

  test("does not begin afresh when the server resumed", async () => {
    const bench = await startLive();
    bench.socket.serverSends(status("e-7"));
    bench.socket.serverCloses(1006);
    bench.waitOut();
    (await bench.next()).establish({ resumed: true });
    expect(bench.log).not.toContain("restart");
    expect(bench.status()).toEqual({ kind: "live" });
  });

  test("begins afresh in the middle of a connection whose history was lost, and stays live", async () => {
    const { socket, log } = await startLive();
    socket.serverSends(status("e-7"));
    socket.establish({ resumed: false });
    expect(log).toEqual(["connecting", "live", "event e-7", "restart"]);
  });

  test("reconnects when what answers speaks something else", async () => {
    const { socket, status: current } = await startLive();
    socket.serverSends("hello");
    expect(socket.closedWith).toBe(1000);
    expect(current()).toMatchObject({ kind: "waiting", reason: "a frame that is no event" });
  });
});

describe("watchAnalysis() close codes", () => {
  test.each([1001, 1013])("%i: comes back after the server's hint", async (code) => {
    const { socket, clock, sockets, status: current, next } = await startLive();
    socket.serverCloses(code, "retry_after_ms=4200");
    expect(current()).toEqual({ kind: "waiting", retryInMs: 4200, code, reason: "retry_after_ms=4200" });
    clock.advance(4199);
    expect(sockets).toHaveLength(1);
    clock.advance(1);
    await next();
    expect(sockets).toHaveLength(2);
  });

  test.each([1009, 4003, 4004, 4400])("%i: refused for good", async (code) => {
    const { socket, clock, status: current } = await startLive();
    socket.serverCloses(code, "no");
    expect(current()).toEqual({ kind: "refused", code, reason: "no" });
    expect(clock.pending).toBe(0);
  });

  test("1000: finished", async () => {
    const { socket, clock, status: current } = await startLive();
    socket.serverCloses(1000);
    expect(current()).toEqual({ kind: "finished" });
    expect(clock.pending).toBe(0);
  });

  test.each([4008, 4009])("%i: comes back at once after a connection that lasted", async (code) => {
    const { socket, clock, status: current, next } = await startLive();
    clock.advance(6_000);
    socket.serverCloses(code);
    expect(current()).toMatchObject({ kind: "waiting", retryInMs: 0 });
    clock.advance(0);
    await next();
  });

  test("4009 again and again: waits longer each time, lest a slow link be made slower", async () => {
    const bench = await startLive();
    const waits: number[] = [];
    let socket = bench.socket;
    for (let round = 0; round < 3; round += 1) {
      socket.serverCloses(4009);
      const current = bench.status();
      if (current.kind === "waiting") waits.push(current.retryInMs);
      bench.waitOut();
      socket = await bench.next();
      socket.establish();
    }
    expect(waits).toEqual([0, 750, 1500]);
  });

  test("4001: fetches another token, and gives up after three in a row", async () => {
    let tokens = 0;
    const bench = startWatch({ token: () => `t.${++tokens}.s` });
    for (let round = 1; round <= 3; round += 1) {
      const socket = await bench.next();
      expect(socket.protocols[1]).toBe(`bearer.t.${round}.s`);
      socket.serverCloses(4001, "token expired");
      bench.waitOut();
    }
    expect(bench.status()).toEqual({ kind: "refused", code: 4001, reason: "token expired" });
    expect(bench.clock.pending).toBe(0);
  });

  test("4001 on a connection that was live: the next token counts from one again", async () => {
    const bench = await startLive();
    let socket = bench.socket;
    for (let round = 0; round < 5; round += 1) {
      bench.clock.advance(6_000);
      socket.serverCloses(4001, "token expired");
      expect(bench.status()).toMatchObject({ kind: "waiting", retryInMs: 0 });
      bench.clock.advance(0);
      socket = await bench.next();
      socket.establish();
    }
  });

  test.each([
    [1006, 4_000],
    [4029, 15_000],
  ])("%i: backs off, to %i ms at most", async (code, longest) => {
    const bench = startWatch({ random: () => 1 });
    const waits: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      (await bench.next()).serverCloses(code);
      const current = bench.status();
      if (current.kind === "waiting") waits.push(current.retryInMs);
      bench.waitOut();
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000].map((ms) => Math.min(ms, longest)));
  });

  test("never comes back in no time after a broken link: a thousand watchers must not arrive at once", async () => {
    const { socket, status: current } = await startLive({ random: () => 0 });
    socket.serverCloses(1006);
    expect(current()).toMatchObject({ kind: "waiting", retryInMs: 250 });
  });
});

describe("watchAnalysis() silence", () => {
  test("sends a sign of life every heartbeat interval", async () => {
    const { socket, clock } = await startLive();
    clock.advance(15_000);
    socket.serverSends({ event_type: "heartbeat", message: "pong" });
    clock.advance(15_000);
    expect(socket.sent).toEqual(['{"type":"ping"}', '{"type":"ping"}']);
  });

  test("reconnects when nothing was heard for the heartbeat timeout, and not a moment before", async () => {
    const { socket, clock, status: current } = await startLive();
    clock.advance(20_000);
    socket.serverSends({ event_type: "heartbeat", message: "pong" });
    clock.advance(29_999);
    expect(current()).toEqual({ kind: "live" });
    clock.advance(1);
    expect(current()).toMatchObject({ kind: "waiting", reason: "the link went silent" });
    expect(socket.closedWith).toBe(1000);
  });

  test("hears nothing more from a link it has given up", async () => {
    const { socket, clock, log } = await startLive();
    clock.advance(30_000);
    const before = log.length;
    socket.serverSends(status("e-8"));
    socket.serverCloses(1000);
    expect(log).toHaveLength(before);
  });
});

describe("close() and retryNow()", () => {
  test("close() ends the link and leaves no timer behind", async () => {
    const { socket, watch, clock, log } = await startLive();
    watch.close();
    watch.close();
    socket.serverSends(status("e-8"));
    socket.serverCloses(1006);
    expect(socket.closedWith).toBe(1000);
    expect(clock.pending).toBe(0);
    expect(log).toEqual(["connecting", "live", "closed"]);
  });

  test("close() while the token is being fetched: no link is made", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const bench = startWatch({ token: () => promise });
    bench.watch.close();
    resolve("a.b.c");
    await promise;
    await Promise.resolve();
    expect(bench.sockets).toHaveLength(0);
    expect(bench.status()).toEqual({ kind: "closed" });
  });

  test("retryNow() does not wait out the pause, and does nothing on a live link", async () => {
    const bench = await startLive();
    bench.watch.retryNow();
    expect(bench.status()).toEqual({ kind: "live" });
    bench.socket.serverCloses(1001, "retry_after_ms=60000");
    bench.watch.retryNow();
    await bench.next();
    expect(bench.clock.pending).toBe(1);
  });
});
