import { describe, expect, test } from "bun:test";
import { fault, result, status } from "../../../src/testing/encoded-events.ts";
import { publishedOfLength } from "../../support/published-event.ts";
import { turn } from "../../support/turn.ts";
import { NOTHING, type OpenedSession, sessionBench, TIMEOUT } from "./session-bench.ts";

type Bench = ReturnType<typeof sessionBench>;

/** Every way in which a watching connection can end, and the code of its close. */
const ENDINGS: [string, (opened: OpenedSession, bench: Bench) => void | Promise<void>, number | undefined][] =
  [
    ["its client leaves", () => {}, undefined],
    ["the link breaks during a send", ({ wire }, { publish }) => breakWhileSending(wire, publish), undefined],
    ["its client is silent", (_, { pass }) => pass(TIMEOUT), 4008],
    ["its token runs out", expireToken, 4001],
    ["its client authenticates with rubbish", ({ session }) => authenticate(session, "rubbish"), 4001],
    [
      "its user may watch no longer",
      (_, { elsewhere, channel }) => elsewhere.declareViewers(channel, new Set()),
      4003,
    ],
    ["its client sends rubbish", ({ session }) => speakRubbish(session), 4400],
    ["its client is too slow", beTooSlow, 4009],
    ["the gateway drains", (_, { drain }) => void drain.execute(6_000), 1001],
    ["a handler throws", ({ session }) => session.failed(new Error("a bug")), 1013],
    ["the analysis ends, with until=terminal", (_, { publish }) => publish(result()).then(() => {}), 1000],
  ];

describe("WS-13: a session", () => {
  test.each(ENDINGS)("leaves nothing behind if %s", async (_, end, code) => {
    const bench = sessionBench();
    const opened = await bench.watch("alice", { untilTerminal: code === 1000, conflates: false });
    expect(bench.books()).toMatchObject({ total_connections: 1, feeds: 3, subscriptions: 3 });
    await end(opened, bench);
    await turn();
    expect(opened.wire.closedWith).toBe(code);
    opened.hangUp();
    opened.hangUp();
    expect(bench.books()).toEqual(NOTHING);
    const { frames, pings } = opened.wire;
    const sent = [frames.length, pings];
    await bench.publish();
    bench.pass(3 * TIMEOUT);
    opened.session.drained();
    opened.session.received('{"type":"ping"}');
    expect([opened.wire.frames.length, opened.wire.pings]).toEqual(sent);
  });

  /** The other ways end one analysis on /ws, and not the socket. */
  const ofTheSocket = ENDINGS.filter(([, , code]) => code !== 4003 && code !== 1000);
  test.each(ofTheSocket)("leaves nothing behind on /ws if %s", async (_, end, code) => {
    const bench = sessionBench();
    const opened = await bench.open("alice", { conflates: false });
    for (const id of [bench.analysisId, crypto.randomUUID()])
      opened.say({ type: "subscribe", analysis_id: id });
    await turn();
    expect(bench.books()).toMatchObject({ total_connections: 1, active_analyses: 2, feeds: 4 });
    await end(opened, bench);
    await turn();
    expect(opened.wire.closedWith).toBe(code);
    opened.hangUp();
    expect(bench.books()).toEqual(NOTHING);
    const sent = opened.wire.frames.length;
    await bench.publish();
    opened.session.drained();
    opened.say({ type: "subscribe", analysis_id: bench.analysisId });
    await turn();
    expect(opened.wire.frames.length).toBe(sent);
    expect(bench.books()).toEqual(NOTHING);
  });

  test.each(ENDINGS)("takes nothing from other sessions if %s", async (_, end, code) => {
    const bench = sessionBench();
    const { tokens, upgrade, publish } = bench;
    const other = upgrade(tokens.know("bob", { userId: "bob", analyses: "*", expiresAt: 1e13 }));
    await turn();
    const opened = await bench.watch("alice", { untilTerminal: code === 1000, conflates: false });
    await end(opened, { ...bench, pass: (ms) => passHearing(other, bench, ms) });
    opened.hangUp();
    if (code === 1001) return expect(other.wire.closedWith).toBe(1001);
    const before = other.wire.offsets.length;
    await publish(fault());
    expect(other.wire.offsets).toHaveLength(before + 1);
    expect(other.wire.closes).toEqual([]);
    other.hangUp();
    expect(bench.books()).toEqual(NOTHING);
  });

  test("forgets a client that never answers the close frame after the heartbeat timeout", async () => {
    const bench = sessionBench();
    const { wire, session } = await bench.watch();
    speakRubbish(session);
    expect(bench.books()).toMatchObject({ total_connections: 1, feeds: 0, subscriptions: 0 });
    bench.pass(TIMEOUT);
    expect(bench.books()).toEqual(NOTHING);
    expect(wire.closedWith).toBe(4400);
  });

  test("leaves nothing behind if its client goes at any instant of the admission", async () => {
    const ways: ((opened: OpenedSession, bench: Bench) => void)[] = [
      () => {},
      ({ session }) => session.failed(new Error("a bug")),
      (_, { pass }) => pass(TIMEOUT),
      (_, { drain }) => void drain.execute(6_000),
    ];
    for (const end of ways) {
      for (let instant = 0; instant <= 11; instant++) {
        const bench = sessionBench();
        const { tokens, upgrade, pubSub, books, settle, publish } = bench;
        await publish();
        pubSub.holdsCalls = true;
        const after = { epoch: "", offset: 0 };
        const opened = upgrade(tokens.know("token"), { replay: { mode: "all", after } });
        for (let step = 0; step < instant; step++) await pubSub.proceed();
        end(opened, bench);
        opened.hangUp();
        const sent = opened.wire.frames.length;
        await settle();
        expect(books()).toEqual(NOTHING);
        const faults = bench.telemetry.logs.filter(({ fields }) => fields.code === "internal");
        expect(faults.filter(({ fields }) => fields.message !== "a bug")).toEqual([]);
        const { pings } = opened.wire;
        await publish();
        bench.pass(2 * TIMEOUT);
        expect([opened.wire.frames.length, opened.wire.pings]).toEqual([sent, pings]);
      }
    }
  });

  test("leaves nothing behind after a thousand clients that come and go", async () => {
    const { watch, books, publish } = sessionBench();
    for (let round = 0; round < 10; round++) {
      const opened = await Promise.all(Array.from({ length: 100 }, (_, n) => watch(`user ${n % 7}`)));
      await publish();
      expect(opened.every(({ wire }) => wire.offsets.at(-1) === round + 1)).toBe(true);
      for (const { hangUp } of opened) hangUp();
    }
    expect(books()).toEqual(NOTHING);
  });
});

async function breakWhileSending(wire: OpenedSession["wire"], publish: Bench["publish"]): Promise<void> {
  wire.breakDown();
  await publish();
}

function expireToken({ session }: OpenedSession, { pass }: Bench): void {
  for (let passed = 0; passed < 3_600_000; passed += 20_000) {
    session.ponged();
    pass(20_000);
  }
}

function authenticate(session: OpenedSession["session"], token: string): void {
  session.received(JSON.stringify({ type: "authenticate", token }));
}

function speakRubbish(session: OpenedSession["session"]): void {
  for (let sent = 0; sent < 11; sent++) session.received("rubbish");
}

async function beTooSlow({ wire }: OpenedSession, { publish }: Bench): Promise<void> {
  wire.takeOnly(1);
  await publish();
  const large = status({ note: publishedOfLength(1, 1024 * 1024).text });
  for (let sent = 0; sent < 17; sent++) await publish(large);
}

/** Time passes, and the client of `other` sends a sign of life all the while. */
function passHearing(other: OpenedSession, { pass }: Bench, milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 10_000) {
    other.session.ponged();
    pass(10_000);
  }
}
