import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { result, status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { turn } from "../../support/turn.ts";
import { NOTHING, type OpenedSession, sessionBench, TIMEOUT } from "./session-bench.ts";

type Bench = ReturnType<typeof sessionBench>;

/** A subscription is three calls, each carried out and then answered. Nothing happens in the seventh step. */
const STEPS = 7;

const SUBSCRIBE = { type: "subscribe", last_event_id: "0" };
const UNSUBSCRIBE = { type: "unsubscribe" };

const SEQUENCES = [
  ["subscribe", [SUBSCRIBE]],
  ["subscribe, unsubscribe", [SUBSCRIBE, UNSUBSCRIBE]],
  ["subscribe, subscribe", [SUBSCRIBE, SUBSCRIBE]],
  ["unsubscribe, subscribe", [UNSUBSCRIBE, SUBSCRIBE]],
  ["subscribe, unsubscribe, subscribe", [SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBE]],
] as const;

describe("WebSocketSession of /ws with frames about one analysis at any instant of each other", () => {
  test.each(SEQUENCES)("WSM-6: answers %s in order, and loses and doubles no event", async (_, frames) => {
    for (const instants of risingInstants(frames.length)) {
      for (let publishedAt = 0; publishedAt <= STEPS; publishedAt++) {
        const bench = sessionBench();
        const { open, publish, elsewhere, channel, analysisId, pubSub, settle, books } = bench;
        await publish();
        const { wire, say, hangUp } = await open();
        pubSub.holdsCalls = true;
        for (let step = 0; step <= STEPS; step++) {
          for (const [index, frame] of frames.entries())
            if (instants[index] === step) say({ ...frame, analysis_id: analysisId });
          if (step === publishedAt) await elsewhere.append(anEvent(channel));
          await pubSub.proceed();
        }
        await settle();
        await publish();
        const answers = frames.map(({ type }) => (type === "subscribe" ? "subscribed" : "unsubscribed"));
        const parts = partsOf(wire);
        expect([instants, publishedAt, parts.map(({ type }) => type)]).toEqual([
          instants,
          publishedAt,
          answers,
        ]);
        for (const [index, { type, offsets }] of parts.entries()) {
          const isLast = index === parts.length - 1;
          const all = isLast && type === "subscribed" ? [1, 2, 3] : [1, 2, 3].slice(0, offsets.length);
          expect([instants, publishedAt, offsets]).toEqual([
            instants,
            publishedAt,
            type === "subscribed" ? all : [],
          ]);
        }
        const watches = answers.at(-1) === "subscribed" ? 1 : 0;
        expect(books()).toMatchObject({
          active_analyses: watches,
          feeds: 2 + watches,
          subscriptions: 2 + watches,
        });
        hangUp();
        expect(books()).toEqual(NOTHING);
      }
    }
  });

  test("WSM-13: leaves nothing behind if the socket ends at any of these instants, in any way", async () => {
    const ways: ((opened: OpenedSession, bench: Bench) => void)[] = [
      () => {},
      ({ session }) => session.failed(new Error("a bug")),
      (_, { pass }) => pass(TIMEOUT),
      (_, { drain }) => void drain.execute(6_000),
    ];
    for (const [, frames] of SEQUENCES) {
      for (const end of ways) {
        for (const instants of risingInstants(frames.length)) {
          const bench = sessionBench();
          const { open, publish, analysisId, pubSub, settle, books } = bench;
          await publish();
          const opened = await open();
          pubSub.holdsCalls = true;
          for (let step = 0; step <= (instants.at(-1) as number); step++) {
            for (const [index, frame] of frames.entries())
              if (instants[index] === step) opened.say({ ...frame, analysis_id: analysisId });
            await pubSub.proceed();
          }
          end(opened, bench);
          opened.hangUp();
          const sent = opened.wire.frames.length;
          await settle();
          await publish();
          expect(books()).toEqual(NOTHING);
          expect(opened.wire.frames.length).toBe(sent);
        }
      }
    }
  });

  test("WSM-6: answers every waiting frame if the broker goes away", async () => {
    for (let step = 0; step <= 5; step++) {
      const { open, publish, analysisId, pubSub, settle, books } = sessionBench();
      await publish();
      const { wire, say, hangUp } = await open();
      pubSub.holdsCalls = true;
      for (const frame of [SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBE]) say({ ...frame, analysis_id: analysisId });
      for (let passed = 0; passed < step; passed++) await pubSub.proceed();
      pubSub.failWaiting(new BrokerUnavailable("away"));
      await settle();
      expect(wire.types.slice(1)).toEqual([
        "subscription_refused",
        "unsubscribed",
        "subscribed",
        "status_update",
      ]);
      expect(books()).toMatchObject({ active_analyses: 1, feeds: 3 });
      hangUp();
      expect(books()).toMatchObject({ total_connections: 0, active_analyses: 0, feeds: 0 });
    }
  });

  test("WSM-7: ends a subscription that viewers declared at any instant of it do not allow", async () => {
    for (let declared = 0; declared <= STEPS; declared++) {
      for (let arrives = declared; arrives <= STEPS + 1; arrives++) {
        const { open, publish, elsewhere, channel, analysisId, pubSub, settle, books } = sessionBench();
        await publish();
        const { wire, say } = await open();
        pubSub.holdsCalls = true;
        pubSub.holdsMail = true;
        say({ ...SUBSCRIBE, analysis_id: analysisId });
        for (let step = 0; step <= STEPS; step++) {
          if (step === declared) await elsewhere.declareViewers(channel, new Set(["bob"]));
          if (step >= arrives) pubSub.deliver();
          await pubSub.proceed();
        }
        await settle();
        expect([declared, arrives, wire.messages.at(-1)]).toMatchObject([
          declared,
          arrives,
          { event_type: "subscription_refused", code: "not_allowed" },
        ]);
        expect(books()).toMatchObject({ total_connections: 1, active_analyses: 0, feeds: 2 });
      }
    }
  });
});

describe("WebSocketSession of /ws with many subscriptions at once", () => {
  const subscribeTo = (id: string) => ({ type: "subscribe", analysis_id: id });

  test("WSM-11: asks the broker for all of them at once and answers the others if one hangs", async () => {
    const { open, pubSub } = sessionBench();
    const { say, wire } = await open();
    pubSub.holdsCalls = true;
    const ids = Array.from({ length: 500 }, () => analysisIdOf(someAnalysis()));
    for (const id of ids) say(subscribeTo(id));
    await turn();
    expect(pubSub.waiting.map(({ name }) => name)).toEqual(ids.map(() => "subscribe"));
    pubSub.holdsCalls = false;
    // The broker has not answered the first call; the others go on.
    const [, ...others] = pubSub.waiting;
    for (let rest = 0; rest < 2 * others.length + 2; rest++) await pubSub.proceed();
    await turn();
    expect(wire.types.slice(1)).toEqual(ids.map(() => "subscribed"));
  });

  test("WSM-9: refuses the analysis after a thousand, until one is unsubscribed", async () => {
    const { open, books } = sessionBench();
    const { say, wire, hangUp } = await open();
    const ids = Array.from({ length: 1_000 }, () => analysisIdOf(someAnalysis()));
    for (const id of ids) say(subscribeTo(id));
    await turn();
    const [first = "", ...rest] = ids;
    const extra = analysisIdOf(someAnalysis());
    say(subscribeTo(extra));
    expect(wire.messages.at(-1)).toMatchObject({ analysis_id: extra, code: "too_many_subscriptions" });
    say({ type: "unsubscribe", analysis_id: first });
    for (const id of [extra, ...rest]) say(subscribeTo(id));
    await turn();
    expect(wire.types.filter((type) => type === "subscription_refused")).toHaveLength(1);
    expect(books()).toMatchObject({ active_analyses: 1_000, feeds: 1_002 });
    hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("WSM-9: allows another analysis for each that ended by itself", async () => {
    const { open, tokens, publishTo, books } = sessionBench();
    const { say, wire } = await open("alice", { untilTerminal: true });
    const ended = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const channel = someAnalysis();
        await publishTo(channel, result());
        return analysisIdOf(channel);
      }),
    );
    const others = () => Array.from({ length: 500 }, () => analysisIdOf(someAnalysis()));
    for (const id of [...ended, ...others()]) say(subscribeTo(id));
    await turn();
    expect(books()).toMatchObject({ active_analyses: 500 });
    const next = others();
    say({ type: "authenticate", token: tokens.know("narrow", { analyses: new Set(next) }) });
    for (const id of [...next, ...next]) say(subscribeTo(id));
    await turn();
    expect(books()).toMatchObject({ active_analyses: 500, feeds: 502 });
    const codes = wire.messages.flatMap(({ code }) => (code === undefined ? [] : String(code)));
    expect(codes).toEqual(Array(500).fill("not_allowed"));
  });

  test("WSM-9: closes with 4400 on more waiting frames than allowed and leaves nothing behind", async () => {
    const { open, pubSub, settle, books, analysisId } = sessionBench();
    const { say, wire, hangUp } = await open();
    pubSub.holdsCalls = true;
    for (let sent = 0; sent < 2_000; sent++) say(subscribeTo(analysisId));
    expect(wire.closes).toEqual([]);
    say(subscribeTo(analysisId));
    expect(wire.closes).toEqual([{ code: 4400, reason: "too many frames wait for an answer" }]);
    hangUp();
    await settle();
    expect(books()).toEqual(NOTHING);
  });

  test.each(["subscribe", "unsubscribe"])(
    "WSM-9: closes with 4009 on a client that asks to %s and never reads, not on one that reads",
    async (type) => {
      const { open, books, analysisId } = sessionBench();
      const [reads, never] = [await open("alice"), await open("bob")];
      for (let sent = 0; sent < 20_000 && never.wire.closes.length === 0; sent++) {
        for (const { say, wire } of [reads, never]) {
          wire.takeOnly(0);
          say({ type, analysis_id: analysisId });
        }
        if (sent % 100 > 0) continue;
        await turn();
        reads.wire.takeAll();
        reads.session.drained();
      }
      expect([never.wire.closedWith, reads.wire.closedWith]).toEqual([4009, undefined]);
      expect(never.wire.frames.join("").length).toBeLessThan(2 * 1024 * 1024);
      await turn();
      expect(books()).toMatchObject({ active_analyses: type === "subscribe" ? 1 : 0 });
      for (const { hangUp } of [reads, never]) hangUp();
      expect(books()).toEqual(NOTHING);
    },
  );

  test("WSM-12: serves early frames after connection_established and closes with 4400 on 256 KiB of them", async () => {
    const { upgrade, tokens, books } = sessionBench();
    const early = upgrade(tokens.know("token"), { analysisId: null });
    for (let sent = 0; sent < 1_000; sent++)
      early.session.received(JSON.stringify(subscribeTo(crypto.randomUUID())));
    await turn();
    await turn();
    expect(early.wire.types).toEqual(["connection_established", ...Array(1_000).fill("subscribed")]);
    early.hangUp();
    const flood = upgrade("token", { analysisId: null });
    for (let sent = 0; sent < 5_000; sent++) flood.session.received("");
    expect(flood.wire.closedWith).toBe(4400);
    flood.hangUp();
    await turn();
    expect(books()).toEqual(NOTHING);
  });
});

function anEvent(channel: Bench["channel"]) {
  return { channel, events: [status()] };
}

/** The answers on a wire, each with the offsets of the events between it and the next answer. */
function partsOf(wire: OpenedSession["wire"]): { type: string; offsets: number[] }[] {
  const parts: { type: string; offsets: number[] }[] = [];
  for (const { event_type, event_id } of wire.messages.slice(1)) {
    if (event_id === undefined) parts.push({ type: event_type, offsets: [] });
    else parts.at(-1)?.offsets.push(Number(event_id.split("-")[1]));
  }
  return parts;
}

/** Every sequence of `count` steps that never falls. */
function risingInstants(count: number): number[][] {
  if (count === 0) return [[]];
  return risingInstants(count - 1).flatMap((before) => {
    const from = before.at(-1) ?? 0;
    return Array.from({ length: STEPS - from + 1 }, (_, index) => [...before, from + index]);
  });
}
