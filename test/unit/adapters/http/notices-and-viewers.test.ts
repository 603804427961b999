import { describe, expect, test } from "bun:test";
import { statusUpdate } from "../../../support/publishing.ts";
import { appBench, codeOf, problemOf } from "./app-bench.ts";

describe("POST /v1/notices", () => {
  test("NOT-2: with a user_id goes to that user, without one to everybody", async () => {
    const { notify, kept } = appBench();
    const one = await notify({ user_id: "alice", level: "warning", message: "m", data: { a: 1 } });
    const all = await notify({ message: "m" });
    expect([one, all].map(({ status }) => status)).toEqual([202, 202]);
    const [mine] = await kept("user:alice");
    expect(mine).toMatchObject({ event_type: "notice", level: "warning", message: "m", data: { a: 1 } });
    expect(await one.json()).toEqual({ event_ids: [mine.event_id], duplicate: false });
    expect((await kept("system:updates")).map(({ level }) => level)).toEqual(["info"]);
  });

  test("NOT-2: a name is taken as it is", async () => {
    const { notify, kept } = appBench();
    for (const user_id of ["alice@example.com", "a b", "Ünal:1", "*"]) {
      expect((await notify({ user_id, message: "m" })).status).toBe(202);
      expect(await kept(`user:${user_id}`)).toHaveLength(1);
    }
  });

  test("NOT-2: a user_id that is none is 422", async () => {
    const { notify } = appBench();
    for (const user_id of [7, ["alice"], { id: 1 }, false, "half a \ud83c"]) {
      const { status, code, issues } = await problemOf(await notify({ user_id, message: "m" }));
      expect([status, code, issues?.[0]?.path]).toEqual([422, "invalid_event", ["user_id"]]);
    }
  });

  test("WEB-1: a user_id that is null or blank is 422 and told to nobody, however it is written", async () => {
    const { notify, kept } = appBench();
    for (const body of [
      '{"user_id":null,"message":"m"}',
      '{"message":"m","user_id":null}',
      '{"user_id":"alice","user_id":null,"message":"m"}',
      '{"user_id":"alice","\\u0075ser_id":null,"message":"m"}',
      '{"user_id":"","message":"m"}',
      '{"user_id":" \\t\\n ","message":"m"}',
      '{"user_id":"\\u00a0","message":"m"}',
    ]) {
      const { status, code, issues } = await problemOf(await notify(body));
      expect([body, status, code, issues?.[0]?.path]).toEqual([body, 422, "invalid_event", ["user_id"]]);
    }
    expect(await kept("system:updates")).toEqual([]);
    expect(await kept("user:alice")).toEqual([]);
  });

  test("WEB-1: nothing but one object with one user_id addresses a notice", async () => {
    const { notify, kept } = appBench();
    for (const body of [[{ user_id: "alice", message: "m" }], [{ message: "m" }], null, "7"])
      expect((await notify(body)).status).toBe(422);
    expect((await notify({ data: { user_id: null }, message: "m" })).status).toBe(202);
    expect(await kept("system:updates")).toHaveLength(1);
    expect(await kept("user:alice")).toEqual([]);
  });

  test("WEB-1: an Idempotency-Key that is empty is 422, never the same as none", async () => {
    const { notify, publish, kept } = appBench();
    const headers = { "Idempotency-Key": "" };
    for (const answer of [
      await notify({ message: "m" }, { headers }),
      await publish(statusUpdate(), { headers }),
    ])
      expect(await codeOf(answer)).toEqual([422, "invalid_idempotency_key"]);
    expect(await kept("system:updates")).toEqual([]);
    expect(await kept()).toEqual([]);
  });

  test("BUD-1: a user_id of more than 256 bytes is 422, and nothing is stored", async () => {
    const { notify, kept } = appBench();
    for (const user_id of ["u".repeat(257), "ü".repeat(129), "u".repeat(1024 * 1024 - 100)]) {
      const { status, code, issues } = await problemOf(await notify({ user_id, message: "m" }));
      expect([status, code, issues?.[0]?.path]).toEqual([422, "invalid_event", ["user_id"]]);
      expect(await kept(`user:${user_id}`)).toEqual([]);
    }
    expect((await notify({ user_id: "ü".repeat(128), message: "m" })).status).toBe(202);
  });

  test("NOT-2: a body that is no notice is refused like any event", async () => {
    const { notify } = appBench();
    for (const [body, path] of [
      [{}, ["message"]],
      [{ message: "m", level: "loud" }, ["level"]],
      [{ message: "m", data: [] }, ["data"]],
      [{ ...statusUpdate() }, ["event_type"]],
      [[{ message: "m" }], []],
      ["7", []],
    ] as const)
      expect((await problemOf(await notify(body))).issues?.[0]?.path).toEqual([...path]);
    expect(await codeOf(await notify("{"))).toEqual([400, "not_json"]);
    expect(await codeOf(await notify(new Uint8Array([0xff])))).toEqual([400, "not_json"]);
    expect((await notify({ message: "x".repeat(1024 * 1024) })).status).toBe(413);
  });

  test("EV-13: nested more than 64 levels deep it is 422 with the path, whomever it is for", async () => {
    const { notify } = appBench();
    const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    for (const user of ["", `"user_id":"alice",`]) {
      const body = (levels: number) => `{${user}"message":"m","data":{"deep":${deep(levels)}}}`;
      expect((await notify(body(62))).status).toBe(202);
      for (const levels of [63, 400_000]) {
        const { status, code, issues } = await problemOf(await notify(body(levels)));
        expect([status, code, issues?.[0]?.path]).toEqual([422, "invalid_event", ["data"]]);
      }
    }
  });

  test("NOT-2: needs the scope for notices", async () => {
    const { notify, tokens } = appBench();
    tokens.know("events-only", { scopes: new Set(["analysis:publish"]) });
    const body = { message: "m" };
    expect(await codeOf(await notify(body, { token: "events-only" }))).toEqual([403, "scope_missing"]);
    expect(await codeOf(await notify(body, { token: null }))).toEqual([401, "unauthenticated"]);
  });
});

describe("PUT /v1/analyses/{analysis_id}", () => {
  const declared = async ({ elsewhere, channel }: ReturnType<typeof appBench>) =>
    (await elsewhere.snapshot(channel)).viewers;

  test("PUB-12: replaces who may watch, and answers 204 without a body", async () => {
    const bench = appBench();
    const answer = await bench.declare({ viewers: ["alice", "bob", "alice"] });
    expect([answer.status, await answer.text()]).toEqual([204, ""]);
    expect(await declared(bench)).toEqual(new Set(["alice", "bob"]));
    await bench.declare({ viewers: ["carol"] });
    expect(await declared(bench)).toEqual(new Set(["carol"]));
    await bench.declare({ viewers: [] });
    expect(await declared(bench)).toEqual(new Set<string>());
    await bench.declare({ viewers: "*" });
    expect(await declared(bench)).toBe("*");
  });

  test("BUD-1: a viewer of more than 256 bytes is 422", async () => {
    const bench = appBench();
    const { status, issues } = await problemOf(await bench.declare({ viewers: ["alice", "ü".repeat(129)] }));
    expect([status, issues?.map(({ path }) => path)]).toEqual([422, [["viewers", 1]]]);
    expect((await bench.declare({ viewers: ["u".repeat(256)] })).status).toBe(204);
  });

  test("EV-13: a body nested more than 64 levels deep is 422 with the path, and declares nothing", async () => {
    const bench = appBench();
    const deep = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;
    for (const [text, path] of [
      [`{"viewers":${deep}}`, "viewers"],
      [`{"viewers":"*","note":${deep}}`, "note"],
    ] as const) {
      const { status, code, issues } = await problemOf(await bench.declare(text));
      expect([status, code, issues?.[0]?.path]).toEqual([422, "invalid_viewers", [path]]);
    }
    expect(await codeOf(await bench.declare("[".repeat(500_000)))).toEqual([400, "not_json"]);
    expect(await declared(bench)).toBeUndefined();
  });

  test("PUB-12: at most 1,000 users", async () => {
    const bench = appBench();
    const users = (count: number) => Array.from({ length: count }, (_, index) => `user ${index}`);
    const { status, code, issues } = await problemOf(await bench.declare({ viewers: users(1_001) }));
    expect([status, code, issues?.[0]?.path]).toEqual([422, "invalid_viewers", ["viewers"]]);
    expect(await declared(bench)).toBeUndefined();
    expect((await bench.declare({ viewers: users(1_000) })).status).toBe(204);
  });

  test("PUB-12: a body that is no list of users is 422, with the path at fault", async () => {
    const bench = appBench();
    for (const [body, path] of [
      [{}, ["viewers"]],
      [{ viewers: "alice" }, ["viewers"]],
      [{ viewers: null }, ["viewers"]],
      [{ viewers: { alice: true } }, ["viewers"]],
      [{ viewers: ["alice", 7] }, ["viewers", 1]],
      [{ viewers: ["alice", ""] }, ["viewers", 1]],
      [{ viewers: ["alice", "half a \ud83c"] }, ["viewers", 1]],
      [[], []],
      ["null", []],
      ["7", []],
      ['{"viewers":"*","viewers":null}', ["viewers"]],
      [{ viewers: [null] }, ["viewers", 0]],
      [{ viewers: ["*", " "] }, ["viewers", 1]],
    ] as const) {
      const { status, issues } = await problemOf(await bench.declare(body));
      expect([body, status, issues?.[0]?.path]).toEqual([body, 422, [...path]]);
    }
    expect(await declared(bench)).toBeUndefined();
  });

  test("PUB-12: is refused like a publish: 400, 401, 403, 413", async () => {
    const { declare, ask, tokens } = appBench();
    const scopes = new Set(["analysis:publish"]);
    tokens.know("elsewhere", { scopes, analyses: new Set([crypto.randomUUID()]) });
    const body = { viewers: "*" };
    expect(await codeOf(await declare("{"))).toEqual([400, "not_json"]);
    const put = { method: "PUT", token: "publisher", body };
    expect(await codeOf(await ask("/v1/analyses/no-uuid", put))).toEqual([400, "not_an_analysis_id"]);
    expect(await codeOf(await declare(body, { token: null }))).toEqual([401, "unauthenticated"]);
    expect(await codeOf(await declare(body, { token: "watcher" }))).toEqual([403, "scope_missing"]);
    expect(await codeOf(await declare(body, { token: "elsewhere" }))).toEqual([403, "not_allowed"]);
    const large = { viewers: ["x".repeat(1024 * 1024)] };
    expect(await codeOf(await declare(large))).toEqual([413, "event_too_large"]);
  });
});
