import { describe, expect, test } from "bun:test";
import { AccessUndecided, BrokerUnavailable } from "../../../src/application/errors.ts";
import { turn } from "../../support/turn.ts";
import { NOTHING, sessionBench } from "./session-bench.ts";

const ping = '{"type":"ping"}';
const authenticate = (token: string) => JSON.stringify({ type: "authenticate", token });

describe("WebSocketSession with a client that sends frames", () => {
  test("WS-5: answers ping with pong", async () => {
    const { watch, clock } = sessionBench();
    const { session, wire } = await watch();
    session.received(ping);
    expect(wire.messages.at(-1)).toEqual({
      event_type: "heartbeat",
      message: "pong",
      timestamp: new Date(clock.now()).toISOString(),
    });
  });

  test("WS-5: keeps no pong for a client that asks and never reads", async () => {
    const { watch } = sessionBench();
    const { session, wire } = await watch();
    wire.takeOnly(1);
    for (let asked = 0; asked < 1_000; asked++) session.received(ping);
    expect(wire.types.filter((type) => type === "heartbeat")).toHaveLength(1);
  });

  test("WS-11: answers authenticate with the new token's end and ends the connection then", async () => {
    const { upgrade, tokens, clock, pass } = sessionBench();
    const { session, wire } = upgrade(tokens.know("short", { expiresAt: clock.now() + 60_000 }));
    await turn();
    const expiresAt = clock.now() + 100_000;
    session.received(authenticate(tokens.know("new", { expiresAt })));
    await turn();
    expect(wire.messages.at(-1)).toMatchObject({
      event_type: "authenticated",
      expires_at: new Date(expiresAt).toISOString(),
    });
    for (let passed = 0; passed < 100_000 - 250; passed += 250) {
      session.ponged();
      pass(250);
    }
    expect(wire.closes).toEqual([]);
    session.ponged();
    pass(1_000);
    expect(wire.closes).toEqual([{ code: 4001, reason: "token expired" }]);
  });

  test("WS-11: closes with 4001 on a bad token, another user's or nobody's", async () => {
    for (const claims of [undefined, { userId: "bob" }, { userId: undefined }]) {
      const { watch, tokens, books } = sessionBench();
      const { session, wire, hangUp } = await watch();
      session.received(authenticate(claims === undefined ? "forged" : tokens.know("other", claims)));
      await turn();
      expect(wire.closedWith).toBe(4001);
      expect(wire.types).not.toContain("authenticated");
      hangUp();
      expect(books()).toEqual(NOTHING);
    }
  });

  test("WS-11: closes with 4003 on a token that may not watch this analysis", async () => {
    const { watch, tokens } = sessionBench();
    const { session, wire } = await watch();
    session.received(authenticate(tokens.know("narrow", { analyses: new Set([crypto.randomUUID()]) })));
    await turn();
    expect(wire.closedWith).toBe(4003);
  });

  test("WS-11: applies the rights of the new token from then on", async () => {
    const { watch, tokens, analysisId, elsewhere, channel } = sessionBench();
    const { session, wire } = await watch();
    session.received(authenticate(tokens.know("claimed", { analyses: new Set([analysisId]) })));
    await turn();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    expect(wire.closes).toEqual([]);
  });

  test("WS-11: answers several tokens in their order and closes on the seventeenth that waits", async () => {
    const { watch, tokens, clock } = sessionBench();
    const { session, wire } = await watch();
    for (let sent = 1; sent <= 16; sent++)
      session.received(authenticate(tokens.know(`${sent}`, { expiresAt: clock.now() + sent * 1_000_000 })));
    await turn();
    const ends = wire.messages.flatMap(({ expires_at }) =>
      expires_at === undefined ? [] : String(expires_at),
    );
    expect(ends).toHaveLength(16);
    expect(ends).toEqual([...ends].sort());
    for (let sent = 1; sent <= 17; sent++) session.received(authenticate("1"));
    expect(wire.closedWith).toBe(4400);
  });

  test("WS-11: closes with 1013 if the verifier fails", async () => {
    const { watch, tokens } = sessionBench();
    const { session, wire } = await watch();
    tokens.fault = new BrokerUnavailable("away");
    session.received(authenticate("token of alice"));
    await turn();
    expect(wire.closedWith).toBe(1013);
  });

  test("TV-11: closes with 1013, never with 4001, on a new token that nobody can judge now", async () => {
    const { watch, tokens } = sessionBench();
    const { session, wire } = await watch();
    tokens.fault = new AccessUndecided("the issuer does not answer");
    session.received(authenticate("token of alice"));
    await turn();
    expect(wire.closes).toEqual([{ code: 1013, reason: "retry_after_ms=1000" }]);
  });

  test.each([
    ["binary", new Uint8Array([123, 125]), "not_text"],
    ["no JSON", "{", "not_json"],
    ["no object", "42", "unknown_type"],
    ["of no type", "{}", "unknown_type"],
    ["of a type of another endpoint", '{"type":"subscribe","analysis_id":"x"}', "unknown_type"],
    ["incomplete", '{"type":"authenticate"}', "invalid_frame"],
  ])("WS-6: answers a frame that is %s with a protocol_error", async (_, data, code) => {
    const { watch } = sessionBench();
    const { session, wire } = await watch();
    session.received(data);
    expect(wire.messages.at(-1)).toMatchObject({
      event_type: "protocol_error",
      code,
      message: expect.any(String),
    });
  });

  test("WS-6: answers ten protocol errors and closes with 4400 on the eleventh", async () => {
    const { watch, books } = sessionBench();
    const { session, wire, hangUp } = await watch();
    for (let sent = 1; sent <= 10; sent++) session.received("{");
    expect(wire.closes).toEqual([]);
    session.received("{");
    session.received("{");
    expect(wire.closes).toEqual([{ code: 4400, reason: "too many protocol errors" }]);
    expect(wire.types.filter((type) => type === "protocol_error")).toHaveLength(10);
    hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("WS-7: closes with 4400 on more frames in one second than MESSAGE_RATE, not on as many", async () => {
    const { watch, clock } = sessionBench({ messageRate: 5 });
    const { session, wire } = await watch();
    for (let second = 0; second < 3; second++) {
      for (let sent = 0; sent < 5; sent++) session.received(ping);
      clock.advance(1_000);
    }
    expect(wire.closes).toEqual([]);
    for (let sent = 0; sent < 6; sent++) session.received(ping);
    expect(wire.closes).toEqual([{ code: 4400, reason: "message rate exceeded" }]);
  });

  test("ADM-2: answers each bare ping with a bare pong and counts no protocol error", async () => {
    const { watch, clock } = sessionBench();
    const { session, wire } = await watch();
    for (let sent = 0; sent < 50; sent++) {
      session.received("ping");
      clock.advance(1_000);
    }
    expect(wire.closes).toEqual([]);
    expect(wire.frames.slice(-50)).toEqual(Array.from({ length: 50 }, () => "pong"));
  });

  test("ADM-2: answers an early bare ping after connection_established, on both addresses", async () => {
    for (const intent of [{}, { analysisId: null }]) {
      const { upgrade, tokens } = sessionBench();
      const { session, wire } = upgrade(tokens.know("token"), intent);
      session.received("ping");
      await turn();
      expect(wire.frames.slice(1)).toEqual(["pong"]);
    }
  });

  test("ADM-2: sends no pong, bare or not, to a client that does not read", async () => {
    const { watch } = sessionBench();
    const { session, wire } = await watch();
    wire.takeOnly(1);
    for (let sent = 0; sent < 20; sent++) session.received(sent % 2 === 0 ? "ping" : ping);
    expect(wire.frames).toHaveLength(2);
  });

  test("WS-6: forgives protocol errors after a minute", async () => {
    const { watch, clock } = sessionBench();
    const { session, wire } = await watch();
    for (let sent = 0; sent < 40; sent++) {
      session.received("{");
      clock.advance(6_001);
    }
    expect(wire.closes).toEqual([]);
  });

  test("WS-12: answers early frames after the replay", async () => {
    const { upgrade, tokens, publish } = sessionBench();
    await publish();
    const { session, wire } = upgrade(tokens.know("token"));
    session.received(ping);
    session.received("{");
    expect(wire.frames).toEqual([]);
    await turn();
    expect(wire.types).toEqual(["connection_established", "status_update", "heartbeat", "protocol_error"]);
  });

  test("WS-12: closes with 4400 on the eleventh early frame and leaves nothing behind", async () => {
    const { upgrade, tokens, books } = sessionBench();
    const { session, wire, hangUp } = upgrade(tokens.know("token"));
    for (let sent = 1; sent <= 11; sent++) session.received(ping);
    expect(wire.closedWith).toBe(4400);
    await turn();
    hangUp();
    await turn();
    expect(wire.frames).toEqual([]);
    expect(books()).toEqual(NOTHING);
  });
});
