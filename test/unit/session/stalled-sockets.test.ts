import { describe, expect, test } from "bun:test";
import { NOTHING, sessionBench, TIMEOUT } from "./session-bench.ts";

const ping = '{"type":"ping"}';

describe("WebSocketSession with a client that does not read", () => {
  test("ADM-9: ends after the heartbeat timeout, though the client sends frames of every kind", async () => {
    for (const intent of [{}, { analysisId: null }]) {
      const { watch, pass, books } = sessionBench();
      const { session, wire, hangUp } = await watch("alice", intent);
      wire.takeOnly(0);
      for (let passed = 0; passed < TIMEOUT; passed += 1_000) {
        expect(wire.closes).toEqual([]);
        session.received(ping);
        session.pinged(0);
        session.ponged();
        pass(1_000);
      }
      expect(wire.closes).toEqual([{ code: 4008, reason: "nothing heard" }]);
      hangUp();
      expect(books()).toEqual(NOTHING);
    }
  });

  test("ADM-9: goes on if the client reads slowly, though it sends nothing until it has read everything", async () => {
    const { watch, pass, publish } = sessionBench();
    const { session, wire } = await watch();
    wire.takeOnly(0);
    await publish();
    for (let round = 0; round < 20; round++) {
      wire.takeSome();
      pass(TIMEOUT - 1_000);
    }
    expect(wire.closes).toEqual([]);
    wire.takeAll();
    session.drained();
    session.ponged();
    pass(TIMEOUT - 1_000);
    expect(wire.closes).toEqual([]);
  });

  test("ADM-11: closes with 4009 if more than 16 KiB of pongs wait", async () => {
    const { watch, books } = sessionBench();
    const { session, wire, hangUp } = await watch();
    wire.takeOnly(0);
    let pings = 0;
    for (; wire.closes.length === 0 && pings < 10_000; pings++) session.pinged(125);
    expect([wire.closedWith, pings]).toEqual([4009, Math.floor((16 * 1024) / 127) + 1]);
    hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("ADM-11: goes on after any number of pongs that the client read", async () => {
    const { watch } = sessionBench();
    const { session, wire } = await watch();
    for (let round = 0; round < 50; round++) {
      wire.takeOnly(0);
      for (let sent = 0; sent < 100; sent++) session.pinged(125);
      wire.takeAll();
      session.drained();
    }
    expect(wire.closes).toEqual([]);
  });

  test("ADM-3: counts ping and pong frames as client frames", async () => {
    const { watch } = sessionBench({ messageRate: 5 });
    const { session, wire } = await watch();
    for (let sent = 0; sent < 5; sent++) session.pinged(0);
    expect(wire.closes).toEqual([]);
    session.ponged();
    expect(wire.closes).toEqual([{ code: 4400, reason: "message rate exceeded" }]);
  });
});
