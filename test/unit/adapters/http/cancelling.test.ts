import { describe, expect, test } from "bun:test";
import { emptyState } from "../../../../src/domain/analysis-state.ts";
import { fault, status } from "../../../../src/testing/encoded-events.ts";
import { errorEvent, statusUpdate } from "../../../support/publishing.ts";
import { turn } from "../../../support/turn.ts";
import { appBench, codeOf, problemOf } from "./app-bench.ts";

function opened(options: Parameters<typeof appBench>[2] = {}) {
  const bench = appBench({}, undefined, options);
  const { ask, tokens, analysisId } = bench;
  const path = `/v1/analyses/${analysisId}`;
  const scopes = new Set(["analysis:cancel"]);
  tokens.know("canceller", { userId: "alice", scopes });
  const cancel = (body: unknown = undefined, token = "canceller", method = "POST") =>
    ask(`${path}/cancel`, { method, token, body });
  const heartbeat = (token = "publisher", body = "") =>
    ask(`${path}/heartbeat`, { method: "POST", token, body });
  const state = async () => (await (await ask(path)).json()) as Record<string, unknown>;
  return { ...bench, path, scopes, cancel, heartbeat, state };
}

describe("POST /v1/analyses/{id}/cancel", () => {
  test("CAN-1: an analysis that nobody has heard of is cancelled, and stays unknown", async () => {
    const { cancel, state, analysisId, clock } = opened();
    const answer = await cancel({ reason: "wrong video" });
    expect([answer.status, await answer.json()]).toEqual([202, { cancel_requested: true }]);
    const requested_at = new Date(clock.now()).toISOString();
    expect(await state()).toEqual({
      ...emptyState(analysisId),
      cancel_requested: { requested_at, user_id: "alice", reason: "wrong video" },
    });
  });

  test.each([
    ["cancelled", { requested_at: "", user_id: "alice", reason: "too slow" }],
    ["completed", null],
  ])(
    "CAN-13: the state of an analysis that has ended as %s says who had asked for its end",
    async (stage, by) => {
      const { cancel, publish, state, clock } = opened();
      const requested_at = new Date(clock.now()).toISOString();
      await publish(statusUpdate());
      await cancel({ reason: "too slow" });
      expect(await state()).toMatchObject({ cancelled_by: null, cancel_requested: { user_id: "alice" } });
      await publish(statusUpdate({ current_stage: stage }));
      const cancelled_by = by && { ...by, requested_at };
      expect(await state()).toMatchObject({ status: stage, cancel_requested: null, cancelled_by });
      await publish(statusUpdate());
      expect(await state()).toMatchObject({ status: "running", cancel_requested: null, cancelled_by: null });
    },
  );

  test("CAN-1: without a body there is no reason, and a second request leaves the first", async () => {
    const { cancel, state } = opened();
    expect((await cancel()).status).toBe(202);
    expect((await cancel({ reason: "later" })).status).toBe(202);
    expect(await state()).toMatchObject({ cancel_requested: { user_id: "alice", reason: null } });
  });

  test("CAN-1: refuses a token without the scope, one that may not watch, and a body that breaks the rules", async () => {
    const { cancel, tokens, scopes, state, declare, ask } = opened();
    expect(await codeOf(await cancel({}, "watcher"))).toEqual([403, "scope_missing"]);
    expect(await codeOf(await cancel({}, "nobody's"))).toEqual([401, "unauthenticated"]);
    await declare({ viewers: ["bob"] });
    expect(await codeOf(await cancel({}))).toEqual([403, "not_allowed"]);
    const bob = tokens.know("bob", { userId: "bob", scopes });
    for (const body of ["{", "[]", '"x"', { reason: 7 }, { reason: "x".repeat(1_001) }]) {
      const { code, issues } = await problemOf(await cancel(body, bob));
      expect(code).toBe(body === "{" ? "not_json" : "invalid_request");
      expect(JSON.stringify(issues ?? "")).not.toContain("xxx");
    }
    expect(await codeOf(await ask("/v1/analyses/7/cancel", { method: "POST", token: bob }))).toEqual([
      400,
      "not_an_analysis_id",
    ]);
    await declare({ viewers: "*" });
    expect(await state()).toMatchObject({ cancel_requested: null });
  });

  test("CAN-1: a page of an allowed origin may ask, by a bearer token", async () => {
    const { ask, path } = appBenchOf("https://app.example");
    const headers = { Origin: "https://app.example" };
    const preflight = await ask(`${path}/cancel`, {
      method: "OPTIONS",
      headers: { ...headers, "Access-Control-Request-Method": "POST" },
    });
    expect(preflight.headers.get("Access-Control-Allow-Methods")).toBe("POST");
    const answer = await ask(`${path}/cancel`, { method: "POST", token: "canceller", headers });
    expect([answer.status, answer.headers.get("Access-Control-Allow-Origin")]).toEqual([202, headers.Origin]);
    const other = await ask(`${path}/events`, { method: "OPTIONS", headers });
    expect(other.headers.get("Access-Control-Allow-Methods")).not.toContain("POST");
  });

  test("CAN-2: an analysis of stage completed is answered 409, and takes no request until another stage follows", async () => {
    const { cancel, publish, state } = opened();
    await publish(statusUpdate());
    await cancel();
    await publish(statusUpdate({ current_stage: "completed" }));
    expect(await state()).toMatchObject({ status: "completed", cancel_requested: null });
    expect(await codeOf(await cancel())).toEqual([409, "already_ended"]);
    await publish(statusUpdate());
    expect(await state()).toMatchObject({ status: "running", cancel_requested: null });
    expect((await cancel()).status).toBe(202);
  });

  test("CAN-2: an analysis that has ended is answered 409, until it is reopened", async () => {
    const { cancel, publish, state } = opened();
    await publish([statusUpdate(), errorEvent()]);
    expect(await codeOf(await cancel())).toEqual([409, "already_ended"]);
    await publish(statusUpdate());
    expect((await cancel()).status).toBe(202);
    await publish(errorEvent());
    expect(await state()).toMatchObject({ status: "failed", cancel_requested: null });
  });

  test("CAN-3: the state has the request until an event ends it or a new attempt begins", async () => {
    const { cancel, publish, state } = opened();
    await publish(statusUpdate({ attempt_id: "one" }));
    expect(await state()).toMatchObject({ cancel_requested: null });
    await cancel();
    expect(await state()).toMatchObject({ status: "running", cancel_requested: { user_id: "alice" } });
    await publish(statusUpdate({ attempt_id: "two" }));
    expect(await state()).toMatchObject({ status: "running", cancel_requested: null });
  });

  test("CAN-7: every answer to a publisher says whether somebody asked", async () => {
    const { cancel, publish, notify } = opened();
    const said = async (answer: Promise<Response>) =>
      ((await (await answer).json()) as Record<string, unknown>).cancel_requested;
    expect(await said(publish(statusUpdate(), { headers: { "Idempotency-Key": "k" } }))).toBe(false);
    await cancel();
    expect(await said(publish(statusUpdate(), { headers: { "Idempotency-Key": "k" } }))).toBe(true);
    expect(await said(publish(statusUpdate()))).toBe(true);
    expect(await said(notify({ message: "soon" }))).toBeUndefined();
    expect(await said(publish(errorEvent()))).toBe(false);
  });
});

describe("POST /v1/analyses/{id}/heartbeat", () => {
  test("CAN-6: renews when the worker was heard, and says whether somebody asked to cancel", async () => {
    const { heartbeat, publish, cancel, state, clock } = opened();
    await publish(statusUpdate());
    clock.advance(61_000);
    expect(await state()).toMatchObject({ status: "stalled" });
    const answer = await heartbeat();
    expect([answer.status, await answer.json()]).toEqual([200, { cancel_requested: false }]);
    expect(await state()).toMatchObject({ status: "running" });
    await cancel();
    expect(await (await heartbeat()).json()).toEqual({ cancel_requested: true });
  });

  test("CAN-6: an analysis that nobody has heard of stays unknown", async () => {
    const { heartbeat, state } = opened();
    expect((await heartbeat()).status).toBe(200);
    expect(await state()).toMatchObject({ status: "unknown", last_event_id: "0" });
  });

  test("CAN-12: that of a run which another has replaced counts for nothing", async () => {
    const { heartbeat, publish, cancel, state, clock } = opened();
    const beat = async (attempt_id: unknown) =>
      (await heartbeat("publisher", JSON.stringify({ attempt_id }))).json();
    await publish(statusUpdate({ attempt_id: "first" }));
    await publish(statusUpdate({ attempt_id: "second" }));
    await cancel();
    clock.advance(61_000);
    expect(await beat("first")).toEqual({ cancel_requested: false });
    expect(await state()).toMatchObject({ status: "stalled" });
    for (const attempt of ["second", "third", null, undefined]) {
      clock.advance(61_000);
      expect(await state()).toMatchObject({ status: "stalled" });
      expect(await beat(attempt)).toEqual({ cancel_requested: true });
      expect(await state()).toMatchObject({ status: "running" });
    }
  });

  test("CAN-12: refuses an attempt_id that can be none, and a body that is no object", async () => {
    const { heartbeat } = opened();
    for (const attempt_id of ["", 7, "x".repeat(65), {}]) {
      const answer = await heartbeat("publisher", JSON.stringify({ attempt_id }));
      const { code, issues } = (await answer.json()) as Record<string, unknown>;
      expect([answer.status, code, issues]).toEqual([
        422,
        "invalid_request",
        [{ path: ["attempt_id"], message: "must be text of 1 to 64 characters" }],
      ]);
    }
    for (const body of ["[]", '"x"', "7"])
      expect(await problemOf(await heartbeat("publisher", body))).toMatchObject({
        ...{ status: 422, code: "invalid_request" },
        issues: [{ path: [], message: "must be an object" }],
      });
    for (const body of ["alive", '{"attempt_id": "on'])
      expect(await codeOf(await heartbeat("publisher", body))).toEqual([400, "not_json"]);
    for (const body of ["", " \n", "null", "{}", '{"attempt":7}'])
      expect((await heartbeat("publisher", body)).status).toBe(200);
  });

  test("CAN-6: needs the rights of a publisher", async () => {
    const { heartbeat, tokens } = opened();
    expect(await codeOf(await heartbeat("watcher"))).toEqual([403, "scope_missing"]);
    const others = tokens.know("others", {
      scopes: new Set(["analysis:publish"]),
      analyses: new Set(["00000000-0000-0000-0000-000000000000"]),
    });
    expect(await codeOf(await heartbeat(others))).toEqual([403, "not_allowed"]);
  });
});

describe("watchers over HTTP", () => {
  test("CAN-5: a request ends a wait and is in its answer, and in those of later waits", async () => {
    const { ask, eventsPath, cancel, elsewhere, channel, analysisId } = opened();
    await elsewhere.append({ channel, events: [status()] });
    const { last_event_id } = (await (await ask(eventsPath)).json()) as { last_event_id: string };
    const wait = async () => (await ask(`${eventsPath}?wait=25&after=${last_event_id}`)).json();
    const waiting = wait();
    await turn();
    await cancel({ reason: "enough" });
    const frame = {
      event_type: "cancel_requested",
      analysis_id: analysisId,
      user_id: "alice",
      reason: "enough",
    };
    const answer = await waiting;
    expect(answer).toMatchObject({ events: [], last_event_id, resumed: true, frames: [frame] });
    await elsewhere.append({ channel, events: [status()] });
    expect(await wait()).toMatchObject({ events: [{}], frames: [frame] });
    await elsewhere.append({ channel, events: [fault()] });
    expect(await wait()).not.toHaveProperty("frames");
  });

  test("CAN-4: a stream gets the frame after its replay, as an event without an id", async () => {
    const { ask, eventsPath, cancel, elsewhere, channel } = opened();
    await elsewhere.append({ channel, events: [status()] });
    await cancel();
    const answer = await ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("cancel_requested")) text += (await reader?.read())?.value ?? "";
    expect(text).toMatch(
      /event: status_update\ndata: .*\n\nevent: cancel_requested\ndata: \{"event_type":"cancel_requested"/,
    );
    await reader?.cancel();
  });
});

function appBenchOf(origin: string) {
  const bench = appBench({ allowedOrigins: [origin] });
  bench.tokens.know("canceller", { userId: "alice", scopes: new Set(["analysis:cancel"]) });
  return { ...bench, path: `/v1/analyses/${bench.analysisId}` };
}
