import { describe, expect, test } from "bun:test";
import { resultUpdate, statusUpdate } from "../../../support/publishing.ts";
import { turn } from "../../../support/turn.ts";
import { appBench, codeOf, problemOf } from "./app-bench.ts";

describe("reading over HTTP", () => {
  const APP = "https://app.example";

  test("READ-1: the state of an analysis, and of one nobody has heard of", async () => {
    const { ask, publish, analysisId } = appBench();
    const read = async () => (await ask(`/v1/analyses/${analysisId}`)).json();
    expect(await read()).toMatchObject({ analysis_id: analysisId, status: "unknown", last_event_id: "0" });
    const { event_ids } = (await (await publish([statusUpdate(), resultUpdate()])).json()) as {
      event_ids: string[];
    };
    expect(await read()).toMatchObject({ status: "completed", last_event_id: event_ids[1] });
  });

  test("READ-2: the token comes in the query, the header or a cookie; two different ones are 401", async () => {
    const { ask, tokens, analysisId } = appBench();
    tokens.know("another", { userId: "bob" });
    const path = `/v1/analyses/${analysisId}`;
    const cookie = { Cookie: "access_token=watcher" };
    const statusOf = async (query: string, token: string | null, headers: Record<string, string> = {}) =>
      (await ask(`${path}${query}`, { token, headers })).status;
    expect(await statusOf("?token=watcher", null)).toBe(200);
    expect(await statusOf("?token=watcher", "watcher")).toBe(200);
    expect(await statusOf("?token=another", "watcher")).toBe(401);
    expect(await statusOf("?token=watcher&token=another", null)).toBe(401);
    expect(await statusOf("?token=watcher&token=watcher", null)).toBe(200);
    expect(await statusOf("", null, cookie)).toBe(200);
    expect(await statusOf("", null, { ...cookie, "Sec-Fetch-Site": "same-origin" })).toBe(200);
    expect(await statusOf("", null, { ...cookie, "Sec-Fetch-Site": "cross-site" })).toBe(401);
    expect(await statusOf("", null)).toBe(401);
  });

  test("READ-2: refusals are problems: no UUID 400, no user 401, no right 403, no broker 503", async () => {
    const { ask, tokens, analysisId, pubSub, elsewhere, channel } = appBench();
    tokens.know("nobody", { userId: undefined });
    for (const suffix of ["", "/events"]) {
      const path = `/v1/analyses/${analysisId}${suffix}`;
      expect(await codeOf(await ask(`/v1/analyses/no-uuid${suffix}`))).toEqual([400, "not_an_analysis_id"]);
      expect(await codeOf(await ask(path, { token: "nobody" }))).toEqual([401, "unauthenticated"]);
      await elsewhere.declareViewers(channel, new Set(["bob"]));
      expect(await codeOf(await ask(path))).toEqual([403, "not_allowed"]);
      await elsewhere.declareViewers(channel, "*");
      pubSub.goesAway();
      const away = await ask(path);
      expect(away.headers.get("Retry-After")).not.toBeNull();
      expect(await codeOf(away)).toEqual([503, "broker_unavailable"]);
      pubSub.comesBack();
    }
  });

  test("READ-6: pages of allowed origins may read, with their cookies, and others may not", async () => {
    const { ask, analysisId } = appBench({ allowedOrigins: [APP] });
    for (const path of [`/v1/analyses/${analysisId}`, `/v1/analyses/${analysisId}/events`]) {
      const allowed = await ask(path, { headers: { Origin: APP } });
      expect(allowed.status).toBe(200);
      expect(allowed.headers.get("Access-Control-Allow-Origin")).toBe(APP);
      expect(allowed.headers.get("Access-Control-Allow-Credentials")).toBe("true");
      expect(allowed.headers.get("Vary")).toContain("Origin");
      const refused = await ask(path, { headers: { Origin: "https://evil.example" } });
      expect(refused.headers.get("Access-Control-Allow-Origin")).toBeNull();
      expect(await codeOf(refused)).toEqual([403, "origin_not_allowed"]);
      const preflight = await ask(path, {
        method: "OPTIONS",
        token: null,
        headers: { Origin: APP, "Access-Control-Request-Method": "GET" },
      });
      expect([preflight.status, preflight.headers.get("Access-Control-Allow-Origin")]).toEqual([204, APP]);
      expect((await ask(path)).headers.get("Access-Control-Allow-Origin")).toBeNull();
    }
  });

  test("READ-6: nothing of an analysis is kept by a cache on the way", async () => {
    const { ask, analysisId } = appBench();
    for (const suffix of ["", "/events"])
      expect((await ask(`/v1/analyses/${analysisId}${suffix}`)).headers.get("Cache-Control")).toBe(
        "no-store",
      );
  });

  test("READ-3: events are read page by page, as they were written", async () => {
    const { ask, publish, eventsPath } = appBench();
    await publish(Array.from({ length: 5 }, (_, step) => statusUpdate({ message: `${step}`, ns: 0 })));
    await publish(JSON.stringify(statusUpdate()).replace("}", ',"7":12345678901234567890}'));
    const first = await (await ask(`${eventsPath}?limit=5`)).json();
    expect(first).toMatchObject({ resumed: null });
    expect(first.events.map(({ message }: { message: string }) => message)).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
    ]);
    const rest = await (await ask(`${eventsPath}?after=${first.last_event_id}`)).text();
    expect(rest).toContain('"message":"working","7":12345678901234567890,');
    expect(JSON.parse(rest)).toMatchObject({ resumed: true, events: [{ message: "working" }] });
  });

  test("READ-3: a query that cannot be understood is 400, with the field at fault", async () => {
    const { ask, eventsPath } = appBench();
    for (const [query, field] of [
      ["limit=0", "limit"],
      ["limit=1001", "limit"],
      ["limit=ten", "limit"],
      ["limit=1.5", "limit"],
      ["wait=61", "wait"],
      ["wait=-1", "wait"],
      ["wait=", "wait"],
    ]) {
      const { status, issues } = await problemOf(await ask(`${eventsPath}?${query}`));
      expect([query, status, issues?.[0]?.path]).toEqual([query, 400, [field ?? ""]]);
    }
    for (const query of ["after=", "after=nonsense", "limit=1000&wait=0"])
      expect((await ask(`${eventsPath}?${query}`)).status).toBe(200);
  });

  test("READ-4: with wait, the answer comes with the first new event", async () => {
    const { ask, publish, eventsPath, clock } = appBench();
    const answer = ask(`${eventsPath}?wait=25`);
    await turn();
    await publish(statusUpdate({ message: "new" }));
    expect(await (await answer).json()).toMatchObject({ events: [{ message: "new" }], resumed: null });
    const { last_event_id } = await (await ask(eventsPath)).json();
    const nothing = ask(`${eventsPath}?wait=25&after=${last_event_id}`);
    await turn();
    clock.advance(25_000);
    expect(await (await nothing).json()).toEqual({ events: [], last_event_id, resumed: true });
  });

  test("SSE-1: a client that accepts a stream of events gets one", async () => {
    const { ask, eventsPath, publish, registry } = appBench();
    await publish(statusUpdate({ message: "before" }));
    const answer = await ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    expect(answer.headers.get("Content-Type")).toBe("text/event-stream");
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const texts = [await reader.read(), await reader.read(), await reader.read()].map(({ value }) =>
      new TextDecoder().decode(value),
    );
    expect(texts[0]).toMatch(/^retry: \d+\n\n$/);
    expect(texts[1]).toStartWith("event: connection_established\ndata: {");
    expect(texts[2]).toMatch(/^id: \w+-1\nevent: status_update\ndata: \{"event_id":.*before.*\}\n\n$/);
    await reader.cancel();
    expect(registry.statistics().total_connections).toBe(0);
  });

  test("EV-20: a stream names a result by its own type, and the state has it as it was written", async () => {
    const { ask, publish, eventsPath, analysisId } = appBench();
    await publish(statusUpdate({ current_stage: "queued" }));
    expect(await (await ask(`/v1/analyses/${analysisId}`)).json()).toMatchObject({ status: "queued" });
    const data = '{"7":1.0,"taken_ns":12345678901234567890}';
    expect((await publish(`{"data":${data},"event_type":"result"}`)).status).toBe(202);
    const stream = await ask(`${eventsPath}?until=terminal`, { headers: { Accept: "text/event-stream" } });
    expect(await stream.text()).toMatch(/^id: \w+-2\nevent: result\ndata: .*"data":\{"7":1\.0/m);
    const state = await (await ask(`/v1/analyses/${analysisId}`)).text();
    expect(state).toContain(`"data":${data}`);
    expect(JSON.parse(state)).toMatchObject({ status: "completed", result: { summary: null } });
  });

  test("READ-1: the state has the result as it was written: long numbers, and nesting as deep as it may be", async () => {
    const { ask, publish, analysisId } = appBench();
    const deep = `${"[".repeat(63)}${"]".repeat(63)}`;
    const members = JSON.stringify(resultUpdate()).slice(1);
    expect((await publish(`{"taken_ns":12345678901234567890,"deep":${deep},${members}`)).status).toBe(202);
    const text = await (await ask(`/v1/analyses/${analysisId}`)).text();
    expect(text).toContain('"taken_ns":12345678901234567890,');
    expect(text).toContain(`"deep":${deep},`);
    expect(text).toContain('"status":"completed"');
  });
});
