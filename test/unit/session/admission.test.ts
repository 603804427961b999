import { describe, expect, test } from "bun:test";
import {
  AccessUndecided,
  BrokerUnavailable,
  NewerFormat,
  OutcomeUnknown,
} from "../../../src/application/errors.ts";
import type { WatchIntent } from "../../../src/session/web-socket-session.ts";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { turn } from "../../support/turn.ts";
import { NOTHING, sessionBench } from "./session-bench.ts";

/** The line of the fault that ended the connection; the lines of its end follow it. */
function isFault({ message }: { readonly message: string }): boolean {
  return message.includes("could not be");
}

describe("WebSocketSession while a client comes in", () => {
  test("WS-1: sends connection_established first, then the last status and the current terminal event", async () => {
    const { publish, watch, analysisId, clock } = sessionBench();
    await publish(status(), status(), result());
    const { wire } = await watch();
    expect(wire.types).toEqual(["connection_established", "status_update", "result_update"]);
    expect(wire.offsets).toEqual([2, 3]);
    expect(wire.messages[0]).toEqual({
      event_type: "connection_established",
      analysis_id: analysisId,
      message: expect.any(String),
      timestamp: new Date(clock.now()).toISOString(),
      connection_id: wire.id,
      heartbeat_interval_seconds: 15,
      heartbeat_timeout_seconds: 30,
      resumed: null,
    });
  });

  test("WS-1: sends everything that follows, live and in order", async () => {
    const { publish, watch } = sessionBench();
    const { wire } = await watch();
    await publish(status(), status());
    await publish(result());
    expect(wire.offsets).toEqual([1, 2, 3]);
    expect(wire.closes).toEqual([]);
  });

  test("WS-16: takes an analysis_id in capital letters for the same analysis", async () => {
    const { publish, watch, analysisId } = sessionBench();
    const { wire } = await watch("alice", { analysisId: analysisId.toUpperCase() });
    await publish();
    expect(wire.messages[0]?.analysis_id).toBe(analysisId);
    expect(wire.offsets).toEqual([1]);
  });

  test("RES-1: resumes at a good position and says so", async () => {
    const { publish, watch } = sessionBench();
    const after = await publish(status(), status());
    await publish(status());
    const { wire } = await watch("alice", { replay: { mode: "latest", after } });
    expect(wire.messages[0]).toMatchObject({ resumed: true });
    expect(wire.offsets).toEqual([3]);
  });

  test("RES-2: tells the client if its position is gone", async () => {
    const { publish, watch } = sessionBench();
    await publish(status(), status());
    const { wire } = await watch("alice", { replay: { mode: "latest", after: "unreadable" } });
    expect(wire.messages[0]).toMatchObject({ resumed: false });
    expect(wire.offsets).toEqual([2]);
  });

  test("RES-7: reports an unknown value of the query, after connection_established", async () => {
    const { publish, watch } = sessionBench();
    await publish();
    const fault = { code: "invalid_query", message: "replay is none of: latest, all, none" } as const;
    const { wire } = await watch("alice", { faults: [fault] });
    expect(wire.types).toEqual(["connection_established", "protocol_error", "status_update"]);
    expect(wire.messages[1]).toMatchObject(fault);
  });

  const refusals: [string, Partial<WatchIntent>, number, string][] = [
    ["from an origin that is not allowed", { originAllowed: false }, 4003, "origin"],
    ["with an analysis_id that is no UUID", { analysisId: "1234" }, 4004, "analysis_id is not a UUID"],
    ["without a token", { token: { type: "missing" } }, 4001, "token missing"],
    ["with two different tokens", { token: { type: "conflicting" } }, 4001, "token conflicting"],
    ["with a token that is no good", { token: { type: "token", token: "forged" } }, 4001, "bad signature"],
  ];
  test.each(refusals)(
    "WS-3: refuses a client %s, sends nothing and leaves nothing behind",
    async (_, intent, code, reason) => {
      const { watch, books, pubSub } = sessionBench();
      const { wire, hangUp } = await watch("alice", intent);
      expect(wire.closes).toEqual([{ code, reason }]);
      expect([wire.frames.length, pubSub.made.length]).toEqual([0, 0]);
      hangUp();
      expect(books()).toEqual(NOTHING);
    },
  );

  test("WS-3: refuses a token that ran out, or that names no user, with 4001", async () => {
    const { upgrade, tokens, clock, books } = sessionBench();
    const expired = upgrade(tokens.know("old", { expiresAt: clock.now() }));
    const nameless = upgrade(tokens.know("nobody", { userId: undefined }));
    await turn();
    expect(expired.wire.closes).toEqual([{ code: 4001, reason: "expired" }]);
    expect(nameless.wire.closes).toEqual([{ code: 4001, reason: "the token names no user" }]);
    expect(books()).toEqual(NOTHING);
  });

  test("WS-3: refuses a user who may not watch this analysis with 4003 and leaves nothing behind", async () => {
    const { watch, elsewhere, channel, books } = sessionBench();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    const { wire, hangUp } = await watch("alice");
    expect(wire.closedWith).toBe(4003);
    expect(wire.frames).toEqual([]);
    hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("WS-4: refuses a client over the limit of its user with 4029, over capacity with 1013 and a time to come back", async () => {
    const { watch, books } = sessionBench({ maxConnections: 3, maxPerUser: 2 });
    const [one, two] = [await watch("alice"), await watch("alice")];
    const third = await watch("alice");
    expect(third.wire.closedWith).toBe(4029);
    await watch("bob");
    const fourth = await watch("carol");
    expect(fourth.wire.closes).toEqual([{ code: 1013, reason: "retry_after_ms=1000" }]);
    expect(books()).toMatchObject({ total_connections: 3, users: 2, open: 3 });
    for (const { hangUp } of [third, fourth, one, two]) hangUp();
    expect((await watch("alice")).wire.closes).toEqual([]);
  });

  test.each([
    ["is away", new BrokerUnavailable("away"), "retry_after_ms=1000", "debug"],
    ["does not answer", new OutcomeUnknown("no answer"), "retry_after_ms=1000", "warn"],
    [
      "has a history of a newer Telltale",
      new NewerFormat("newer"),
      "retry_after_ms=10000 newer_format",
      "warn",
    ],
    ["throws an unexpected error", new TypeError("a bug"), "retry_after_ms=1000", "error"],
  ])(
    "WS-14: refuses with 1013 and a time to come back if the broker %s, and leaves nothing behind",
    async (_, fault, reason, level) => {
      const { watch, pubSub, books, telemetry } = sessionBench();
      pubSub.fault = () => fault;
      const { wire, hangUp } = await watch();
      expect(wire.closes).toEqual([{ code: 1013, reason }]);
      hangUp();
      expect(books()).toEqual(NOTHING);
      expect(telemetry.logs.findLast(isFault)?.level as string).toBe(level);
      pubSub.comesBack();
      expect((await watch()).wire.types).toEqual(["connection_established"]);
    },
  );

  test("WS-14: refuses with 1013, not 4001, if the verifier fails", async () => {
    const { watch, tokens } = sessionBench();
    tokens.fault = new Error("no key");
    expect((await watch()).wire.closedWith).toBe(1013);
  });

  test.each([
    ["/ws/analysis/{id}", {}],
    ["/ws", { analysisId: null }],
  ])(
    "TV-11: refuses a token that nobody can judge now with 1013 on %s, never with 4001",
    async (_, intent) => {
      const { watch, tokens, books, telemetry } = sessionBench();
      tokens.fault = new AccessUndecided("the issuer does not answer");
      const { wire, hangUp } = await watch("alice", intent);
      expect(wire.closes).toEqual([{ code: 1013, reason: "retry_after_ms=1000" }]);
      expect(telemetry.logs.findLast(isFault)).toMatchObject({
        level: "warn",
        fields: { code: "access_undecided" },
      });
      hangUp();
      expect(books()).toEqual(NOTHING);
      tokens.fault = undefined;
      expect((await watch("alice", intent)).wire.types).toEqual(["connection_established"]);
    },
  );

  test("OPS-9: sends a client away that is verified while the gateway drains", async () => {
    const { upgrade, tokens, connections, drain, books } = sessionBench();
    let open = () => {};
    tokens.gate = new Promise((resolve) => {
      open = resolve;
    });
    const { wire, hangUp } = upgrade(tokens.know("token"));
    await drain.execute(6_000);
    open();
    await turn();
    expect(wire.closedWith).toBe(1001);
    expect(wire.closes[0]?.reason).toMatch(/^retry_after_ms=\d+$/);
    expect(connections.size).toBe(0);
    hangUp();
    expect(books()).toEqual(NOTHING);
  });
});
