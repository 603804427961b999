import { describe, expect, test } from "bun:test";
import type { Environment } from "../../../../src/client/watch/environment.ts";
import { emptyState } from "../../../../src/domain/analysis-state.ts";
import { turn } from "../../../support/turn.ts";
import {
  ANALYSIS,
  collect,
  live,
  OTHER,
  ScriptedGateway,
  type ScriptedStream,
  sentBy,
  settled,
  status,
} from "./scripted-gateway.ts";

const ESTABLISHED = {
  analysis_id: ANALYSIS,
  resumed: null,
  heartbeat_interval_seconds: 15,
  heartbeat_timeout_seconds: 30,
};

function begin(stream: ScriptedStream, position = "e-1"): void {
  stream.event("connection_established", ESTABLISHED);
  stream.event("analysis_state", { ...emptyState(ANALYSIS), status: "running", last_event_id: position });
  stream.event("caught_up", { analysis_id: ANALYSIS, last_event_id: position });
}

async function statusOf(
  gateway: ScriptedGateway,
  watch: ReturnType<ScriptedGateway["watch"]>,
  wanted: string,
) {
  for (let round = 0; round < 100 && watch.getSnapshot().connection.status !== wanted; round += 1)
    await settled();
  expect(watch.getSnapshot().connection.status as string).toBe(wanted);
  return gateway;
}

describe("server-sent events", () => {
  test("are what a runtime without a WebSocket gets: the state, then each event, in pieces of any size", async () => {
    const gateway = new ScriptedGateway({ hasWebSocket: false });
    const watch = gateway.watch();
    const { events } = collect(watch);
    const request = await gateway.request();
    expect(request.url.pathname).toBe("/telltale/v1/events");
    expect(Object.fromEntries(request.url.searchParams)).toEqual({
      replay: "state",
      markers: "1",
      conflate: "none",
      analysis: ANALYSIS,
    });
    expect(request.init.headers).toEqual({ Authorization: "Bearer a.b.c" });
    const stream = request.stream();
    stream.write("retry: 2000\n\n");
    begin(stream);
    const block = `id: e-2\nevent: status_update\ndata: ${JSON.stringify(status("e-2", { message: "Grüße: ok" }))}\n\n`;
    for (const character of block) stream.write(character);
    stream.write(": still here\n\n");
    await settled();
    expect(events.map(({ event_type }) => event_type)).toEqual([
      "analysis_state",
      "caught_up",
      "status_update",
    ]);
    expect(watch.getSnapshot()).toMatchObject({
      connection: { status: "live", transport: "sse" },
      analysis: { message: "Grüße: ok" },
    });
    watch.close();
    expect(request.isAborted()).toBe(true);
  });

  test("resume after the last event, when the gateway says so and as it says", async () => {
    const gateway = new ScriptedGateway({ hasWebSocket: false });
    const watch = gateway.watch();
    const stream = (await gateway.request()).stream();
    begin(stream);
    await statusOf(gateway, watch, "live");
    stream.event("closing", { code: 1001, reason: "going_away", reconnect: true, retry_after_ms: 4_000 });
    await statusOf(gateway, watch, "waiting");
    expect(watch.getSnapshot().connection).toMatchObject({
      code: 1001,
      retryAt: gateway.clock.now() + 4_000,
    });
    gateway.clock.advance(4_000);
    expect((await gateway.request(2)).url.searchParams.get("analysis")).toBe(`${ANALYSIS}@e-1`);
    watch.close();
  });

  test("SDK-14: have one stream for a hundred analyses, which begins anew for one more, and goes on where each was", async () => {
    const gateway = new ScriptedGateway({ hasWebSocket: false });
    const ids = Array.from(
      { length: 101 },
      (_, index) => `0190b7a4-2c1e-7c3a-9a51-${`${index}`.padStart(12, "0")}`,
    );
    const watches = ids.slice(1).map((analysisId) => gateway.watch({ analysisId }));
    const { events } = collect(watches[0] as (typeof watches)[0]);
    const asked = async (number: number) =>
      (await gateway.request(number)).url.searchParams.getAll("analysis");
    expect(await asked(1)).toEqual(ids.slice(1));
    const first = await gateway.request(1);
    const stream = first.stream();
    const to = ids[1] as string;
    stream.event("connection_established", { ...ESTABLISHED, analysis_id: null });
    stream.event("subscribed", { analysis_id: to, resumed: null });
    stream.event("analysis_state", { ...emptyState(to), last_event_id: "e-1" });
    stream.event("caught_up", { analysis_id: to, last_event_id: "e-1" });
    await settled();
    watches[1]?.close();
    watches.push(gateway.watch({ analysisId: ids[0] as string }));
    expect(await asked(2)).toEqual([`${to}@e-1`, ...ids.slice(3), ids[0] as string]);
    expect(first.isAborted()).toBe(true);
    const again = (await gateway.request(2)).stream();
    again.event("connection_established", { ...ESTABLISHED, analysis_id: null });
    again.event("subscribed", { analysis_id: to, resumed: true });
    again.event("caught_up", { analysis_id: to, last_event_id: "e-1" });
    again.event("status_update", { ...status("e-2"), analysis_id: to });
    await settled();
    expect(events.map(({ event_type }) => event_type)).toEqual([
      "analysis_state",
      "caught_up",
      "status_update",
    ]);
    watches.push(gateway.watch({ analysisId: ids[2] as string }));
    expect(await asked(3)).toEqual([ids[2] as string]);
    const beside = (await gateway.request(3)).stream();
    for (const each of [again, beside])
      each.event("notice", { event_id: "n-1", level: "info", message: "for all" });
    await settled();
    expect(events.slice(3).map(({ event_type }) => event_type)).toEqual(["notice"]);
    for (const watch of watches) watch.close();
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });

  test("SDK-17: notice one stream that has gone silent, though the other goes on", async () => {
    const gateway = new ScriptedGateway({ hasWebSocket: false });
    const watches = Array.from({ length: 101 }, () => gateway.watch({ analysisId: crypto.randomUUID() }));
    const streams = [(await gateway.request(1)).stream(), (await gateway.request(2)).stream()] as const;
    for (const stream of streams) stream.event("connection_established", ESTABLISHED);
    const [watch] = watches as [(typeof watches)[0]];
    await statusOf(gateway, watch, "live");
    for (let beat = 0; beat < 3; beat += 1) {
      gateway.clock.advance(12_000);
      streams[0].write(": still here\n\n");
      await settled();
    }
    expect(watch.getSnapshot().connection).toMatchObject({ status: "live" });
    gateway.clock.advance(9_000);
    expect(watch.getSnapshot().connection).toMatchObject({
      status: "waiting",
      reason: "the link went silent",
    });
    for (const one of watches) one.close();
    expect(gateway.leftovers).toBe(0);
  });

  test.each([
    [401, { code: "unauthenticated" }, "waiting", 4001],
    [429, { code: "too_many_connections" }, "waiting", 4029],
    [503, { code: "over_capacity" }, "waiting", 1013],
    [502, "<html>", "waiting", 1006],
    [502, null, "waiting", 1006],
    [403, { code: "not_declared" }, "waiting", 4003],
    [403, { code: "not_allowed" }, "refused", 4003],
  ] as const)("%d %j: is %s, as close code %d says", async (code, body, expected, closeCode) => {
    const gateway = new ScriptedGateway({ hasWebSocket: false });
    const watch = gateway.watch();
    (await gateway.request()).answer(code, body, code === 503 ? { "Retry-After": "2" } : {});
    await statusOf(gateway, watch, expected);
    expect(watch.getSnapshot().connection).toMatchObject({ code: closeCode });
    if (closeCode === 1013)
      expect(watch.getSnapshot().connection).toMatchObject({ retryAt: gateway.clock.now() + 2_000 });
    watch.close();
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });

  test.each([
    ["too_many_subscriptions", 2],
    ["not_declared", 1],
  ])(
    "SDK-15: begin anew after %s only if the gateway does not try again by itself",
    async (code, requests) => {
      const gateway = new ScriptedGateway({ hasWebSocket: false });
      const watch = gateway.watch();
      const stream = (await gateway.request()).stream();
      stream.event("connection_established", { ...ESTABLISHED, analysis_id: null });
      stream.event("subscription_refused", { analysis_id: ANALYSIS, code, message: "" });
      await statusOf(gateway, watch, "waiting");
      watch.retryNow();
      expect(watch.getSnapshot().connection).toEqual({ status: "connecting" });
      await settled();
      expect(gateway.requests).toHaveLength(requests);
      watch.close();
      gateway.clock.advance(1_000);
      expect(gateway.leftovers).toBe(0);
    },
  );
});

describe("reads that wait", () => {
  test("SDK-16: are what is left if no stream comes through: each ends with the news, and the next goes on from there", async () => {
    const gateway = new ScriptedGateway({ hasWebSocket: false });
    const watch = gateway.watch();
    const { events } = collect(watch);
    // A proxy that keeps the stream back.
    const first = await gateway.request();
    expect(first.url.searchParams.get("wait")).toBe(null);
    gateway.clock.advance(10_000);
    expect(first.isAborted()).toBe(true);
    gateway.clock.advance(250);
    const answer = async (number: number, asked: string, news: (stream: ScriptedStream) => void) => {
      const { url, stream } = await gateway.request(number);
      expect([url.searchParams.get("wait"), url.searchParams.get("analysis")]).toEqual([
        number === 2 ? "1" : "25",
        asked,
      ]);
      const answered = stream();
      answered.event("connection_established", { ...ESTABLISHED, analysis_id: null });
      news(answered);
      answered.end();
    };
    const goesOn = (position: string) => (stream: ScriptedStream) => {
      stream.event("subscribed", { analysis_id: ANALYSIS, resumed: true });
      stream.event("caught_up", { analysis_id: ANALYSIS, last_event_id: position });
    };
    await answer(2, ANALYSIS, begin);
    await answer(3, `${ANALYSIS}@e-1`, (stream) => {
      goesOn("e-1")(stream);
      stream.event("status_update", { ...status("e-2"), analysis_id: ANALYSIS });
    });
    await answer(4, `${ANALYSIS}@e-2`, goesOn("e-2"));
    const fifth = await gateway.request(5);
    expect(fifth.url.searchParams.get("analysis")).toBe(`${ANALYSIS}@e-2`);
    expect(events.map((event) => ("event_id" in event ? event.event_id : event.event_type))).toEqual([
      "analysis_state",
      "caught_up",
      "e-2",
    ]);
    expect(watch.getSnapshot().connection).toEqual({ status: "live", transport: "poll" });
    watch.close();
    expect(fifth.isAborted()).toBe(true);
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });

  test("SDK-15: leave an analysis out that was refused, until it is due again", async () => {
    const gateway = new ScriptedGateway({ hasWebSocket: false });
    gateway.kept.set("telltale:https://gateway.example/telltale", "poll");
    const watch = gateway.watch();
    const other = gateway.watch({ analysisId: OTHER });
    const first = (await gateway.request()).stream();
    first.event("connection_established", { ...ESTABLISHED, analysis_id: null });
    first.event("subscription_refused", { analysis_id: ANALYSIS, code: "not_declared", message: "" });
    first.end();
    expect((await gateway.request(2)).url.searchParams.getAll("analysis")).toEqual([OTHER]);
    await statusOf(gateway, watch, "waiting");
    expect(other.getSnapshot().connection).toMatchObject({ status: "live" });
    gateway.waitOut(watch);
    expect((await gateway.request(3)).url.searchParams.getAll("analysis")).toEqual([OTHER, ANALYSIS]);
    watch.close();
    other.close();
  });
});

describe("the choice of a transport", () => {
  test("SDK-16: falls back from a WebSocket that does not get through, remembers that, and goes back to it once it does", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    (await gateway.socket()).serverCloses(1006);
    gateway.clock.advance(250);
    const request = await gateway.request();
    const stream = request.stream();
    begin(stream);
    await statusOf(gateway, watch, "live");
    expect(watch.getSnapshot().connection).toMatchObject({ transport: "sse" });
    expect(gateway.kept.get("telltale:https://gateway.example/telltale")).toBe("sse");
    const minutes = async (count: number) => {
      for (let beat = 0; beat < count * 4; beat += 1) {
        gateway.clock.advance(15_000);
        stream.write(": still here\n\n");
        await settled();
      }
    };
    await minutes(1);
    (await gateway.socket(2)).serverCloses(1006);
    await minutes(2);
    expect(request.isAborted()).toBe(false);
    const better = await gateway.socket(3);
    better.establish();
    const socket = await gateway.socket(4);
    expect(request.isAborted()).toBe(true);
    expect(better.closedWith).toBe(1000);
    socket.establish();
    expect(sentBy(socket)).toMatchObject([{ last_event_id: "e-1" }]);
    expect(watch.getSnapshot().connection).toMatchObject({ status: "live", transport: "websocket" });
    watch.close();
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
  });

  test("a WebSocket that has worked is given up after three failures, not after one", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    const first = await gateway.socket();
    first.establish();
    first.serverCloses(1006);
    for (const number of [2, 3, 4]) {
      gateway.waitOut(watch);
      (await gateway.socket(number)).serverCloses(1006);
    }
    gateway.waitOut(watch);
    await gateway.request();
    watch.close();
  });

  test.each<[string, (gateway: ScriptedGateway) => Environment["storage"]]>([
    ["is full", ({ kept }) => ({ getItem: (key) => kept.get(key) ?? null, setItem: refuse })],
    ["is forbidden", () => ({ getItem: refuse, setItem: refuse })],
    ["may not even be asked for", refuse],
  ])("a page whose storage %s watches all the same", async (_, storage) => {
    const gateway = new ScriptedGateway();
    const environment = Object.create(gateway.environment, { storage: { get: () => storage(gateway) } });
    const { watch } = await live(gateway, { environment });
    expect(watch.getSnapshot().connection).toEqual({ status: "live", transport: "websocket" });
    watch.close();
  });

  test("a page of the same tab begins with the one that worked", async () => {
    const gateway = new ScriptedGateway();
    gateway.kept.set("telltale:https://gateway.example/telltale", "poll");
    const watch = gateway.watch();
    expect((await gateway.request()).url.searchParams.get("wait")).toBe("1");
    expect(gateway.sockets).toHaveLength(0);
    watch.close();
  });
});

describe("cancel()", () => {
  test("asks the gateway, with the reason", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    const asked = watch.cancel("no longer needed");
    const { url, init, answer } = await gateway.request();
    expect([init.method, url.pathname, init.body]).toEqual([
      "POST",
      `/telltale/v1/analyses/${ANALYSIS}/cancel`,
      '{"reason":"no longer needed"}',
    ]);
    answer(202);
    await asked;
    watch.close();
  });

  test("reads the answer to its end, so that the browser keeps no connection for it", async () => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    let isOver = false;
    const asked = watch.cancel().then(() => {
      isOver = true;
    });
    const answer = (await gateway.request()).stream();
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(isOver).toBe(false);
    answer.end();
    await asked;
    watch.close();
  });

  test.each([
    [409, { code: "already_ended", title: "The analysis has ended" }, "already_ended"],
    [403, { code: "scope_missing" }, "scope_missing"],
    [502, "<html>", "unreachable"],
  ])("rejects with the code of %d %j", async (code, body, expected) => {
    const gateway = new ScriptedGateway();
    const watch = gateway.watch();
    const asked = watch.cancel().catch((error: unknown) => error);
    (await gateway.request()).answer(code, body);
    expect(await asked).toMatchObject({ name: "CancelRefused", code: expected });
    watch.close();
  });
});

function refuse(): never {
  throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
}
