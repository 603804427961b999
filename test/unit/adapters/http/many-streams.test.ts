import { describe, expect, test } from "bun:test";
import { analysisIdOf } from "../../../../src/domain/channel.ts";
import { CLOSE_CODES } from "../../../../src/domain/close-code.ts";
import { result, status } from "../../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../../src/testing/some-analysis.ts";
import { ReadingStream } from "../../../support/reading-stream.ts";
import { turn } from "../../../support/turn.ts";
import { appBench, codeOf, problemOf } from "./app-bench.ts";

describe("GET /v1/events", () => {
  const opened = (options: Parameters<typeof appBench>[2] = {}) => {
    const bench = appBench({}, undefined, options);
    const [one, other] = [someAnalysis(), someAnalysis()] as const;
    const ids = [one, other].map(analysisIdOf);
    const pathOf = (named: readonly string[], query = "") =>
      `/v1/events?${named.map((id) => `analysis=${id}`).join("&")}${query}`;
    const stream = async (named: readonly string[] = ids, query = "", headers: Record<string, string> = {}) =>
      new ReadingStream(await bench.ask(pathOf(named, query), { headers }), new AbortController());
    const publish = async (channel: typeof one) => {
      await bench.elsewhere.append({ channel, events: [status()] });
      await turn();
    };
    const next = async (from: ReadingStream, count: number) => {
      const got = [];
      while (got.length < count) got.push(await from.next());
      return got;
    };
    return { ...bench, one, other, ids, pathOf, stream, publish, next };
  };

  test("SSM-1: begins as /ws does, and has the events of each analysis with an id over all of them", async () => {
    const { one, other, ids, stream, publish, next } = opened();
    await publish(one);
    const events = await stream();
    const [established, ...begun] = await next(events, 4);
    expect(established).toMatchObject({
      id: undefined,
      event: "connection_established",
      data: { analysis_id: null, resumed: null },
    });
    expect(begun.map(({ event }) => event).sort()).toEqual(["status_update", "subscribed", "subscribed"]);
    expect(
      begun
        .filter(({ event }) => event === "subscribed")
        .map(({ data }) => data.analysis_id)
        .sort(),
    ).toEqual(ids.toSorted());
    await publish(other);
    const [live] = await next(events, 1);
    expect(live).toMatchObject({ event: "status_update", data: { event_id: expect.stringMatching(/-1$/) } });
    expect(live?.id).not.toBe(String(live?.data.event_id));
    await events.leave();
  });

  test("SSM-3: goes on after the position of each analysis by Last-Event-ID, once", async () => {
    const { one, other, stream, publish, next } = opened();
    await publish(one);
    await publish(other);
    const events = await stream();
    const begun = await next(events, 5);
    const last = begun.findLast(({ id }) => id !== undefined)?.id ?? "";
    await events.leave();
    await publish(other);
    await publish(one);
    await publish(other);
    for (const [query, headers] of [
      ["", { "Last-Event-ID": last }],
      [`&last_event_id=${encodeURIComponent(last)}`, {}],
    ] as const) {
      const again = await stream(undefined, query, headers);
      const got = (await next(again, 6)).slice(1);
      expect(got.flatMap(({ data }) => data.resumed ?? [])).toEqual([true, true]);
      const offsets = got.flatMap(({ data }) =>
        data.event_id ? [Number(`${data.event_id}`.split("-")[1])] : [],
      );
      expect(offsets.sort()).toEqual([2, 2, 3]);
      await again.leave();
    }
  });

  test("SSM-3: a position of another set is gone; with resume=strict each analysis is refused", async () => {
    const { one, ids, stream, publish, next } = opened();
    await publish(one);
    const gone = await stream(ids, "&replay=none", { "Last-Event-ID": "another.0" });
    expect((await next(gone, 3)).slice(1).map(({ data }) => data.resumed)).toEqual([false, false]);
    await gone.leave();
    const strict = await stream(ids, "&resume=strict", { "Last-Event-ID": "another.0" });
    const refused = (await next(strict, 3)).slice(1);
    expect(refused.map(({ event, data }) => [event, data.code])).toEqual([
      ["subscription_refused", "position_gone"],
      ["subscription_refused", "position_gone"],
    ]);
    await strict.leave();
  });

  test("SSM-4: takes a position for each analysis behind @, so that the set may change", async () => {
    const { one, other, ids, elsewhere, stream, publish, next } = opened();
    await publish(one);
    const { epoch } = (await elsewhere.snapshot(one)).position;
    await publish(one);
    await publish(other);
    const events = await stream([`${ids[0]}@${epoch}-1`, `${ids[1]}@0`]);
    const got = (await next(events, 5)).slice(1);
    expect(got.flatMap(({ data }) => data.resumed ?? [])).toEqual([true, true]);
    const published = got.flatMap(({ data }) => data.event_id ?? []);
    expect(published.toSorted()).toEqual(
      [`${epoch}-2`, `${(await elsewhere.snapshot(other)).position.epoch}-1`].toSorted(),
    );
    await events.leave();
  });

  test("SSM-2: refuses an analysis that may not be watched, and the others go on", async () => {
    const { one, other, ids, elsewhere, stream, publish, next } = opened();
    await elsewhere.declareViewers(one, new Set(["bob"]));
    const events = await stream([...ids, "no-uuid", "no@uuid", ids[1] as string]);
    const got = (await next(events, 5)).slice(1);
    expect(new Set(got.map(({ event, data }) => [event, data.analysis_id, data.code].join(" ")))).toEqual(
      new Set([
        `subscription_refused ${ids[0]} not_allowed`,
        "subscription_refused no-uuid not_an_analysis_id",
        "subscription_refused no@uuid not_an_analysis_id",
        `subscribed ${ids[1]} `,
      ]),
    );
    await publish(other);
    expect((await events.next()).event).toBe("status_update");
    await events.leave();
  });

  test("SSM-1: has the state, and the end of each replay, if asked", async () => {
    const { one, ids, stream, publish, next } = opened();
    await publish(one);
    const events = await stream([ids[0] as string], "&replay=state&markers=1");
    const [, subscribed, state, marker] = await next(events, 4);
    expect([subscribed?.event, state?.event, marker?.event]).toEqual([
      "subscribed",
      "analysis_state",
      "caught_up",
    ]);
    expect(state?.id).toEndWith(String(state?.data.last_event_id));
    expect(marker).toMatchObject({ id: undefined, data: { last_event_id: state?.data.last_event_id } });
    await events.leave();
  });

  test("SSM-5: ends with until=terminal when every analysis has, those that were refused left out", async () => {
    const { one, other, ids, elsewhere, stream, publish, registry } = opened();
    await elsewhere.append({ channel: one, events: [result()] });
    const events = await stream([...ids, "no-uuid"], "&until=terminal");
    await turn();
    await publish(other);
    await elsewhere.append({ channel: other, events: [result()] });
    const got = await events.rest();
    expect(got.filter(({ event }) => event === "unsubscribed")).toHaveLength(2);
    expect(got.at(-1)).toMatchObject({ event: "closing", data: { code: 1000, reconnect: false } });
    expect(registry.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
  });

  test("SSM-5: is 204 with until=terminal for a client that has seen the end of every analysis, and not before", async () => {
    const { one, other, ids, elsewhere, ask, pathOf, feeds, registry, publish } = opened();
    for (const channel of [one, other]) await elsewhere.append({ channel, events: [result()] });
    const epochs = await Promise.all(
      [one, other].map(async (channel) => (await elsewhere.snapshot(channel)).position.epoch),
    );
    const at = (index: number) => `${ids[index]}@${epochs[index]}-1`;
    const statusOf = async (named: string[], query = "&until=terminal") => {
      const answer = await ask(pathOf(named, query));
      await answer.body?.cancel();
      return answer.status;
    };
    expect(await statusOf([at(0), at(1)])).toBe(204);
    expect(await statusOf([at(0), ids[1] as string])).toBe(200);
    expect(await statusOf([at(0), `${ids[1]}@0`])).toBe(200);
    expect(await statusOf([at(0), at(1)], "")).toBe(200);
    await publish(other);
    expect(await statusOf([at(0), at(1)])).toBe(200);
    expect(registry.statistics()).toMatchObject({ total_connections: 0 });
    expect(feeds.size).toBe(0);
  });

  test("SSM-7: tries again what was refused for now, from the position of the client", async () => {
    const { one, other, ids, elsewhere, clock, publish, stream, next } = opened({ watchDefault: "deny" });
    await elsewhere.declareViewers(other, new Set(["alice"]));
    const events = await stream();
    const got = (await next(events, 3)).map(({ event }) => event);
    expect(got.toSorted()).toEqual(["connection_established", "subscribed", "subscription_refused"]);
    await elsewhere.declareViewers(one, new Set(["alice"]));
    await publish(one);
    clock.advance(2_000);
    const [subscribed, status] = await next(events, 2);
    expect(subscribed).toMatchObject({ event: "subscribed", data: { analysis_id: ids[0] } });
    expect(status).toMatchObject({ event: "status_update" });
    await events.leave();
  });

  test("SSM-8: with wait, ends after the first news, without a word, or in time; never while replays are due", async () => {
    const { one, ids, elsewhere, clock, publish, stream, registry } = opened();
    await publish(one);
    const first = await stream(ids, "&wait=25&replay=state&markers=1");
    const kinds = async (from: ReadingStream) => {
      await turn();
      clock.advance(50);
      return (await from.rest()).map(({ event }) => event).filter((event) => event !== "subscribed");
    };
    const begun = await kinds(first);
    expect(begun.toSorted()).toEqual([
      "analysis_state",
      "analysis_state",
      "caught_up",
      "caught_up",
      "connection_established",
    ]);
    const { epoch } = (await elsewhere.snapshot(one)).position;
    const query = "&wait=25&markers=1";
    const waiting = await stream([`${ids[0]}@${epoch}-1`, `${ids[1]}@0`], query);
    await turn();
    clock.advance(5_000);
    await publish(one);
    expect((await kinds(waiting)).at(-1)).toBe("status_update");
    const silent = await stream([`${ids[0]}@${epoch}-2`, `${ids[1]}@0`], query);
    await turn();
    clock.advance(20_000);
    expect((await kinds(silent)).at(-1)).toBe("caught_up");
    expect(registry.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
  });

  test("SSM-6: is 422 without an analysis and with more than a hundred", async () => {
    const { ask, pathOf } = opened();
    const many = Array.from({ length: 101 }, () => crypto.randomUUID());
    for (const path of ["/v1/events", pathOf(many)]) {
      const { status, code, issues } = await problemOf(await ask(path));
      expect([status, code, issues?.[0]?.path]).toEqual([422, "invalid_request", ["analysis"]]);
    }
    const { code, issues } = await problemOf(await ask(pathOf(many.slice(1), "&wait=61")));
    expect([code, issues?.[0]?.path]).toEqual(["invalid_request", ["wait"]]);
    const answer = await ask(pathOf(many.slice(1)));
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
    expect(await codeOf(await ask(pathOf(many.slice(1), "&replay=some")))).toEqual([400, "invalid_query"]);
  });

  test("SSM-6: is refused as any stream is, and leaves nothing behind", async () => {
    const { ask, ids, pathOf, registry, stream, sessions, feeds, pubSub, next } = opened({ maxPerUser: 1 });
    expect(await codeOf(await ask(pathOf(ids), { token: null }))).toEqual([401, "unauthenticated"]);
    expect(await codeOf(await ask(pathOf(ids), { headers: { Origin: "https://evil.example" } }))).toEqual([
      403,
      "origin_not_allowed",
    ]);
    const events = await stream();
    await next(events, 3);
    expect(await codeOf(await ask(pathOf(ids)))).toEqual([429, "too_many_connections"]);
    expect(registry.statistics()).toMatchObject({ total_connections: 1, active_analyses: 2 });
    for (const connection of sessions.connections.all())
      connection.close(CLOSE_CODES.unauthenticated, "token expired");
    expect((await events.rest()).at(-1)).toMatchObject({ event: "closing", data: { code: 4001 } });
    expect(registry.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
    expect([feeds.size, pubSub.subscriptions]).toEqual([0, 0]);
    const head = await ask(pathOf(ids), { method: "HEAD" });
    expect([head.status, head.headers.get("Content-Type")]).toEqual([200, "text/event-stream"]);
  });
});
