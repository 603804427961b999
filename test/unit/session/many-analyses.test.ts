import { describe, expect, test } from "bun:test";
import { BrokerUnavailable, NewerFormat, OutcomeUnknown } from "../../../src/application/errors.ts";
import { analysisIdOf, SYSTEM_CHANNEL, userChannel } from "../../../src/domain/channel.ts";
import { notice, result, status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { turn } from "../../support/turn.ts";
import { NOTHING, sessionBench } from "./session-bench.ts";

/** The line of the fault that ended the connection; the lines of its end follow it. */
function isFault({ message }: { readonly message: string }): boolean {
  return message.includes("could not be");
}

describe("WebSocketSession of /ws", () => {
  test("WSM-1: begins with no analysis and sends the notices for its user and for everybody", async () => {
    const { open, elsewhere, books } = sessionBench();
    const { wire } = await open();
    expect(wire.messages).toEqual([
      expect.objectContaining({
        event_type: "connection_established",
        analysis_id: null,
        connection_id: wire.id,
        resumed: null,
      }),
    ]);
    expect(books()).toMatchObject({ total_connections: 1, active_analyses: 0, feeds: 2 });
    await elsewhere.append({ channel: userChannel("alice"), events: [notice({ note: "alice" })] });
    await elsewhere.append({ channel: SYSTEM_CHANNEL, events: [notice({ note: "all" })] });
    await turn();
    expect(wire.messages.slice(1).map(({ note }) => note)).toEqual(["alice", "all"]);
  });

  test("WSM-2: answers subscribe with subscribed, then the latest state, then live events, for each analysis by itself", async () => {
    const { open, publish, publishTo, analysisId, books } = sessionBench();
    const other = someAnalysis();
    await publish(status(), status(), result());
    const { wire, say } = await open();
    say({ type: "subscribe", analysis_id: analysisId.toUpperCase() });
    await turn();
    say({ type: "subscribe", analysis_id: analysisIdOf(other) });
    await turn();
    await publishTo(other);
    await publish();
    expect(wire.types.slice(1)).toEqual([
      "subscribed",
      "status_update",
      "result_update",
      "subscribed",
      "status_update",
      "status_update",
    ]);
    expect(wire.messages[1]).toMatchObject({ analysis_id: analysisId, resumed: null });
    expect(wire.offsets).toEqual([2, 3, 1, 4]);
    expect(books()).toMatchObject({ total_connections: 1, active_analyses: 2, feeds: 4 });
  });

  test("WSM-2: resumes at a good last_event_id whatever replay says, and reports one that is gone", async () => {
    const { open, publish, analysisId } = sessionBench();
    const { epoch } = await publish(status(), status(), status());
    const ask = async (fields: object) => {
      const { wire, say } = await open();
      say({ type: "subscribe", analysis_id: analysisId, ...fields });
      await turn();
      return [wire.messages[1]?.resumed, wire.offsets];
    };
    expect(await ask({ last_event_id: `${epoch}-1`, replay: "none" })).toEqual([true, [2, 3]]);
    expect(await ask({ last_event_id: "0" })).toEqual([true, [1, 2, 3]]);
    expect(await ask({ last_event_id: "nonsense" })).toEqual([false, [3]]);
    expect(await ask({ last_event_id: "", replay: "all" })).toEqual([null, [1, 2, 3]]);
    expect(await ask({ last_event_id: null, replay: null })).toEqual([null, [3]]);
    expect(await ask({ replay: "none" })).toEqual([null, []]);
  });

  test.each([
    ["is away", new BrokerUnavailable("away"), "broker_unavailable"],
    ["does not answer", new OutcomeUnknown("no answer"), "broker_unavailable"],
    ["has a history of a newer Telltale", new NewerFormat("newer"), "newer_format"],
    ["throws an unexpected error", new TypeError("a bug"), "internal"],
  ])("WSM-3: refuses a subscription if the broker %s, and the socket stays", async (_, fault, code) => {
    const { open, pubSub, publish, publishTo, analysisId, telemetry } = sessionBench();
    const other = someAnalysis();
    const { wire, say } = await open();
    say({ type: "subscribe", analysis_id: analysisIdOf(other) });
    await turn();
    pubSub.fault = () => fault;
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    expect(wire.messages.at(-1)).toMatchObject({
      event_type: "subscription_refused",
      analysis_id: analysisId,
      code,
      message: expect.any(String),
    });
    const level = fault instanceof BrokerUnavailable ? "debug" : "warn";
    expect(telemetry.logs.findLast(isFault)?.level).toBe(fault instanceof TypeError ? "error" : level);
    pubSub.comesBack();
    await publishTo(other);
    expect(wire.offsets).toEqual([1]);
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    await publish();
    expect(wire.offsets).toEqual([1, 1]);
    expect(wire.closes).toEqual([]);
  });

  test("WSM-3: refuses an id that is no UUID, as it was sent, and an analysis that the token does not allow", async () => {
    const { open, elsewhere, channel, analysisId, books } = sessionBench();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    const { wire, say } = await open("alice");
    say({ type: "subscribe", analysis_id: "Not a UUID" });
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    expect(wire.messages.slice(1)).toEqual([
      expect.objectContaining({ analysis_id: "Not a UUID", code: "not_an_analysis_id" }),
      expect.objectContaining({ analysis_id: analysisId, code: "not_allowed" }),
    ]);
    expect(books()).toMatchObject({ total_connections: 1, active_analyses: 0, feeds: 2 });
  });

  test("WSM-4: begins a repeated subscription anew at the position given and keeps the feed open", async () => {
    const { open, publish, analysisId, pubSub, books } = sessionBench();
    const { wire, say } = await open();
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    const { epoch } = await publish(status(), status());
    const subscribed = pubSub.countOf("subscribe");
    say({ type: "subscribe", analysis_id: analysisId, last_event_id: `${epoch}-1` });
    await turn();
    await publish();
    expect(wire.offsets).toEqual([1, 2, 2, 3]);
    expect(wire.types.filter((type) => type === "subscribed")).toHaveLength(2);
    expect(pubSub.countOf("subscribe")).toBe(subscribed);
    expect(books()).toMatchObject({ active_analyses: 1, feeds: 3, subscriptions: 3 });
  });

  test("WSM-4: sends nothing of the old subscription after the new subscribed, not even to a slow client", async () => {
    const { open, publish, analysisId } = sessionBench();
    const { wire, say, session } = await open("alice", { conflates: false });
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    wire.takeOnly(1);
    for (let sent = 0; sent < 5; sent++) await publish();
    say({ type: "subscribe", analysis_id: analysisId, replay: "none" });
    await turn();
    wire.takeAll();
    session.drained();
    await publish();
    expect(wire.types.slice(1)).toEqual(["subscribed", "status_update", "subscribed", "status_update"]);
    expect(wire.offsets).toEqual([1, 6]);
  });

  test("WSM-5: answers unsubscribe, also without a subscription, and sends nothing afterwards", async () => {
    const { open, publish, analysisId, books } = sessionBench();
    const { wire, say, hangUp } = await open();
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    await publish();
    for (const id of [analysisId, analysisId.toUpperCase(), "nonsense"])
      say({ type: "unsubscribe", analysis_id: id });
    await publish();
    expect(wire.messages.slice(3)).toEqual([
      expect.objectContaining({ event_type: "unsubscribed", analysis_id: analysisId }),
      expect.objectContaining({ event_type: "unsubscribed", analysis_id: analysisId }),
      expect.objectContaining({ event_type: "unsubscribed", analysis_id: "nonsense" }),
    ]);
    expect(books()).toMatchObject({ total_connections: 1, active_analyses: 0, feeds: 2 });
    hangUp();
    expect(books()).toEqual(NOTHING);
  });

  test("WSM-7: ends the analysis whose new viewers lack the user, and no other one", async () => {
    const { open, elsewhere, channel, publish, publishTo, analysisId, books } = sessionBench();
    const other = someAnalysis();
    const { wire, say } = await open();
    for (const id of [analysisId, analysisIdOf(other)]) say({ type: "subscribe", analysis_id: id });
    await turn();
    await elsewhere.declareViewers(channel, new Set(["bob"]));
    await publish();
    await publishTo(other);
    expect(wire.messages.slice(3)).toEqual([
      expect.objectContaining({
        event_type: "subscription_refused",
        analysis_id: analysisId,
        code: "not_allowed",
      }),
      expect.objectContaining({ event_type: "status_update" }),
    ]);
    expect(wire.closes).toEqual([]);
    expect(books()).toMatchObject({ active_analyses: 1, feeds: 3 });
    await elsewhere.declareViewers(channel, new Set(["alice"]));
    say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    expect(wire.messages.at(-2)).toMatchObject({ event_type: "subscribed" });
  });

  test("WSM-7: ends the analysis that a new token does not allow, and allows the next subscription that it does", async () => {
    const { open, tokens, analysisId, channel, elsewhere } = sessionBench();
    const [kept, gained] = [someAnalysis(), someAnalysis()].map(analysisIdOf);
    await elsewhere.declareViewers(channel, "*");
    const { wire, say } = await open();
    for (const id of [analysisId, kept]) say({ type: "subscribe", analysis_id: id });
    await turn();
    const narrow = tokens.know("narrow", { analyses: new Set([kept!, gained!]) });
    say({ type: "authenticate", token: narrow });
    for (const id of [analysisId, gained]) say({ type: "subscribe", analysis_id: id });
    say({ type: "unsubscribe", analysis_id: kept });
    await turn();
    expect(wire.messages.slice(3).map(({ event_type, analysis_id }) => [event_type, analysis_id])).toEqual([
      ["subscription_refused", analysisId],
      ["authenticated", undefined],
      ["unsubscribed", kept],
      ["subscription_refused", analysisId],
      ["subscribed", gained],
    ]);
    expect(wire.closes).toEqual([]);
  });

  test("WSM-8: sends subscribed with resumed false for the analysis whose events did not survive, and for no other one", async () => {
    const { open, publish, publishTo, broker, analysisId } = sessionBench();
    const other = someAnalysis();
    const { wire, say } = await open();
    for (const id of [analysisId, analysisIdOf(other)]) say({ type: "subscribe", analysis_id: id });
    await turn();
    await publish(status(), status());
    broker.loseEverything();
    await publishTo(other);
    await publish(status(), result());
    expect(wire.types.slice(3)).toEqual([
      "status_update",
      "status_update",
      "status_update",
      "subscribed",
      "status_update",
      "result_update",
    ]);
    expect(wire.messages[6]).toMatchObject({ analysis_id: analysisId, resumed: false });
    expect(wire.closes).toEqual([]);
  });

  test("WSM-10: ends each analysis with unsubscribed for until=terminal, and the socket stays", async () => {
    const { open, publish, publishTo, analysisId, books } = sessionBench();
    const ended = someAnalysis();
    const last = await publishTo(ended, status(), result());
    const { wire, say } = await open("alice", { untilTerminal: true });
    say({ type: "subscribe", analysis_id: analysisId });
    say({
      type: "subscribe",
      analysis_id: analysisIdOf(ended),
      last_event_id: `${last.epoch}-${last.offset}`,
    });
    await turn();
    expect(wire.types.slice(1).sort()).toEqual(["subscribed", "subscribed", "unsubscribed"]);
    await publish(status());
    await publish(result());
    await publish(status());
    expect(wire.types.slice(4)).toEqual(["status_update", "result_update", "unsubscribed"]);
    expect(wire.closes).toEqual([]);
    expect(books()).toMatchObject({ total_connections: 1, active_analyses: 0, feeds: 2 });
  });

  test("WSM-10: applies conflate of the query to every analysis", async () => {
    for (const [conflates, offsets] of [
      [true, [1, 5]],
      [false, [1, 2, 3, 4, 5]],
    ] as const) {
      const { open, publish, analysisId } = sessionBench();
      const { wire, say, session } = await open("alice", { conflates });
      say({ type: "subscribe", analysis_id: analysisId });
      await turn();
      wire.takeOnly(1);
      for (let sent = 0; sent < 5; sent++) await publish();
      wire.takeAll();
      session.drained();
      expect(wire.offsets).toEqual([...offsets]);
    }
  });
});
