import { describe, expect, test } from "bun:test";
import { RequestTooLarge } from "../../../../src/application/errors.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../../support/publishing.ts";
import { appBench, codeOf, problemOf } from "./app-bench.ts";

const MEBIBYTE = 1024 * 1024;

describe("POST /v1/analyses/{analysis_id}/events", () => {
  test("PUB-7: one event is answered with 202 and its event_id, once it is stored", async () => {
    const { publish, kept } = appBench();
    const answer = await publish(statusUpdate());
    const [event] = await kept();
    expect(answer.status).toBe(202);
    expect(answer.headers.get("Content-Type")).toStartWith("application/json");
    expect(await answer.json()).toEqual({
      event_ids: [event.event_id],
      duplicate: false,
      cancel_requested: false,
    });
  });

  test("PUB-7: a batch is answered with an event_id each, in its order", async () => {
    const { publish, kept } = appBench();
    const answer = await publish([statusUpdate(), errorEvent(), resultUpdate()]);
    const events = await kept();
    expect(await answer.json()).toEqual({
      event_ids: events.map(({ event_id }) => event_id),
      duplicate: false,
      cancel_requested: false,
    });
    expect(events.map(({ event_type }) => event_type)).toEqual(["status_update", "error", "result_update"]);
  });

  test("PUB-7: the body's type is not looked at, and its analysis_id may be left out or in capital letters", async () => {
    const { publish, ask, analysisId, kept } = appBench();
    const headers = { "Content-Type": "text/plain" };
    expect((await publish(statusUpdate({ analysis_id: analysisId.toUpperCase() }), { headers })).status).toBe(
      202,
    );
    const path = `/v1/analyses/${analysisId.toUpperCase()}/events`;
    const answer = await ask(path, { method: "POST", token: "publisher", body: statusUpdate() });
    expect(answer.status).toBe(202);
    expect((await kept()).map(({ analysis_id }) => analysis_id)).toEqual([analysisId, analysisId]);
  });

  test("PUB-3: 500 events are a batch, none and 501 are not", async () => {
    const { publish, kept } = appBench();
    const many = (count: number) => Array.from({ length: count }, () => statusUpdate());
    for (const count of [0, 501]) {
      const { status, issues } = await problemOf(await publish(many(count)));
      expect([status, issues?.[0]?.path]).toEqual([422, []]);
    }
    expect((await publish(many(500))).status).toBe(202);
    expect(await kept()).toHaveLength(500);
  });

  test("PUB-2: an event against the rules is 422, with the path of every field at fault", async () => {
    const { publish, kept } = appBench();
    const region = { frame_number: 1, x: 0, y: 0, width: 1, height: 1, confidence: 1, region_type: "face" };
    const event = resultUpdate({ confidence_score: 2, suspicious_regions: [region, { ...region, x: -1 }] });
    const { status, code, issues } = await problemOf(await publish(event));
    expect([status, code]).toEqual([422, "invalid_event"]);
    expect(issues?.map(({ path }) => path)).toEqual([["confidence_score"], ["suspicious_regions", 1, "x"]]);
    expect(await kept()).toEqual([]);
  });

  test("PUB-3: in a batch the event's index comes first, and nothing of it is stored", async () => {
    const { publish, kept } = appBench();
    const { issues } = await problemOf(
      await publish([statusUpdate(), statusUpdate({ progress: -1 }), statusUpdate({ message: " " })]),
    );
    expect(issues?.map(({ path }) => path)).toEqual([
      [1, "progress"],
      [2, "message"],
    ]);
    expect(await kept()).toEqual([]);
  });

  test("PUB-2: an analysis_id that is not the path's is 422", async () => {
    const { publish } = appBench();
    const { issues } = await problemOf(await publish(statusUpdate({ analysis_id: crypto.randomUUID() })));
    expect(issues?.[0]?.path).toEqual(["analysis_id"]);
  });

  test.each([
    ["nothing", ""],
    ["half an object", '{"event_type":'],
    ["NaN", '{"progress":NaN}'],
    ["Infinity", '{"progress":Infinity}'],
    ["bytes that are no UTF-8", new Uint8Array([0x22, 0xff, 0x22])],
  ])("PUB-5: %s is not JSON: 400", async (_, body) => {
    const { publish } = appBench();
    expect(await codeOf(await publish(body))).toEqual([400, "not_json"]);
  });

  test("PUB-5: a path that names no analysis is 400", async () => {
    const { ask } = appBench();
    for (const id of ["no-uuid", "0e8dddc7", "%00", "..%2f..%2fetc", `${crypto.randomUUID()}0`]) {
      const answer = await ask(`/v1/analyses/${id}/events`, { method: "POST", token: "publisher", body: {} });
      expect(await codeOf(answer)).toEqual([400, "not_an_analysis_id"]);
    }
  });

  test("PUB-5: a mebibyte is taken, a byte more is 413, whether or not it says its length", async () => {
    const { publish, kept } = appBench();
    const bare = JSON.stringify(statusUpdate({ pad: "" })).length;
    const event = (bytes: number) => JSON.stringify(statusUpdate({ pad: "x".repeat(bytes - bare) }));
    const stream = (text: string) => new Blob([text]).stream();
    expect((await publish(event(MEBIBYTE))).status).toBe(202);
    expect((await publish(stream(event(MEBIBYTE)))).status).toBe(202);
    expect(await codeOf(await publish(event(MEBIBYTE + 1)))).toEqual([413, "event_too_large"]);
    expect(await codeOf(await publish(stream(event(MEBIBYTE + 1))))).toEqual([413, "event_too_large"]);
    expect(await kept()).toHaveLength(2);
  });

  test("PUB-5: a body that is larger than the broker takes is 413, and the answer names the limit", async () => {
    const { publish, kept } = appBench({}, undefined, { mostBytes: 1_000 });
    const event = (bytes: number) => JSON.stringify(statusUpdate({ pad: "x".repeat(bytes) }));
    for (const body of [event(1_000), new Blob([event(1_000)]).stream()]) {
      const answer = await publish(body);
      expect([answer.status, await answer.json()]).toMatchObject([
        413,
        { code: "event_too_large", detail: "a body has at most 1000 bytes" },
      ]);
    }
    expect((await publish(event(100))).status).toBe(202);
    expect(await kept()).toHaveLength(1);
  });

  test("PUB-5: a request that the broker finds too large is 413, and the answer names the limit", async () => {
    const { publish, pubSub } = appBench();
    pubSub.fault = () => new RequestTooLarge(1_000);
    const answer = await publish(statusUpdate());
    expect([answer.status, await answer.json()]).toMatchObject([
      413,
      { code: "event_too_large", detail: "the broker takes at most 1000 bytes at once" },
    ]);
  });

  test("PUB-8: without a valid token 401, and a word on how to come with one", async () => {
    const { publish, tokens, clock, kept } = appBench();
    tokens.know("old", { scopes: new Set(["analysis:publish"]), expiresAt: clock.now() });
    for (const token of [null, "forged", "old", ""]) {
      const answer = await publish(statusUpdate(), { token });
      expect(answer.headers.get("WWW-Authenticate")).toBe("Bearer");
      expect(await codeOf(answer)).toEqual([401, "unauthenticated"]);
    }
    expect(
      await codeOf(
        await publish(statusUpdate(), { token: null, headers: { Cookie: "access_token=publisher" } }),
      ),
    ).toEqual([401, "unauthenticated"]);
    expect(await kept()).toEqual([]);
  });

  test("PUB-8: without the scope, or for another analysis, 403", async () => {
    const { publish, tokens, analysisId, kept } = appBench();
    const scopes = new Set(["analysis:publish"]);
    tokens.know("notices-only", { scopes: new Set(["notice:publish", "analysis:publishing"]) });
    tokens.know("elsewhere", { scopes, analyses: new Set([crypto.randomUUID()]) });
    tokens.know("here", { scopes, analyses: new Set([analysisId]) });
    tokens.know("everywhere", { scopes, analyses: "*" });
    const codes = ["watcher", "notices-only", "elsewhere"];
    const answers = await Promise.all(
      codes.map(async (token) => codeOf(await publish(statusUpdate(), { token }))),
    );
    expect(answers).toEqual([
      [403, "scope_missing"],
      [403, "scope_missing"],
      [403, "not_allowed"],
    ]);
    for (const token of ["here", "everywhere"])
      expect((await publish(statusUpdate(), { token })).status).toBe(202);
    expect(await kept()).toHaveLength(2);
  });

  test("PUB-9: events of an attempt that ended, or was superseded, are 409", async () => {
    const { publish } = appBench();
    await publish(resultUpdate({ attempt_id: "a" }));
    expect(await codeOf(await publish(statusUpdate({ attempt_id: "a" })))).toEqual([409, "attempt_ended"]);
    await publish(statusUpdate({ attempt_id: "b" }));
    expect(await codeOf(await publish(statusUpdate({ attempt_id: "a" })))).toEqual([
      409,
      "attempt_superseded",
    ]);
  });
});
