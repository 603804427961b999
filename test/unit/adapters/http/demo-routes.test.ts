import { afterEach, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { bundledPage } from "../../../../src/adapters/http/bundled-page.ts";
import {
  createDemo,
  type Demo,
  type DemoDependencies,
} from "../../../../src/adapters/http/demo/demo-routes.ts";
import { requestDeadline } from "../../../../src/adapters/http/request-deadline.ts";
import { RecentRefusals } from "../../../../src/application/recent-refusals.ts";
import { MAX_EVENT_BYTES } from "../../../../src/domain/decode-event.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import demoPage from "../../../../src/web/demo/index.html";
import { appBench } from "./app-bench.ts";

type Claims = Parameters<DemoDependencies["mintToken"]>[0];

let demo: Demo;
/** Stands in for the gateway's own API. */
let server: Bun.Server<undefined>;

afterEach(async () => {
  demo.stop();
  await server.stop(true);
});

function start({ ownNamesOnly = true } = {}) {
  const minted: Claims[] = [];
  const heard = Promise.withResolvers<string>();
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ method, url, headers }) => {
      heard.resolve(`${method} ${new URL(url).pathname} ${headers.get("Authorization")}`);
      return new Response(null, { status: 204 });
    },
  });
  const clock = new ManualClock();
  const refusals = new RecentRefusals();
  demo = createDemo({
    page: bundledPage(demoPage),
    ownNamesOnly,
    baseUrl: () => server.url.href,
    mintToken: async (claims) => {
      minted.push(claims);
      return `token-${minted.length}`;
    },
    clock,
    refusals,
    onFault: (_analysis, error) => heard.reject(error),
  });
  const app = new Hono().use(requestDeadline(clock, { mostBytes: MAX_EVENT_BYTES })).route("/", demo.routes);
  const post = async (path: string, body = "", cookie = "") =>
    app.request(path, { method: "POST", body, headers: { cookie } });
  return { minted, post, heard: heard.promise, app, refusals };
}

describe("a gateway without the demo", () => {
  test("PAGE-6: tells nobody what it refused", async () => {
    start();
    const answer = await appBench().app.request(`/demo/refusals/${crypto.randomUUID()}`);
    expect(answer.status).toBe(404);
  });
});

describe("the demo's own backend", () => {
  test("CFG-11: gives nothing to another name of this machine, nor to another page", async () => {
    const { app, minted } = start();
    const code = async (headers: Record<string, string>) => {
      const answer = await app.request("/demo/session", { method: "POST", headers });
      return answer.ok ? "ok" : ((await answer.json()) as { code: string }).code;
    };
    expect(await code({ Host: "evil.example" })).toBe("host_not_allowed");
    expect(await code({ Host: "localhost:1", Origin: "https://evil.example" })).toBe("origin_not_allowed");
    expect(await code({ Host: "localhost:1", "Sec-Fetch-Site": "cross-site" })).toBe("origin_not_allowed");
    expect(minted).toEqual([]);
    expect(await code({ Host: "localhost:1", Origin: "http://localhost:1" })).toBe("ok");
    expect(await code({})).toBe("ok");
  });

  test("PAGE-6: says how many events of an analysis were refused, and why the last of them", async () => {
    const { app, refusals } = start();
    const id = crypto.randomUUID();
    const asked = async (of: string) => (await app.request(`/demo/refusals/${of}`)).json();
    expect(await asked(id)).toEqual({ count: 0, reason: "" });
    refusals.note(`analysis:${id}`, "invalid: progress: must be at most 1");
    refusals.note(`analysis:${id}`, "not_json: event: must be UTF-8");
    expect(await asked(id.toUpperCase())).toEqual({ count: 2, reason: "not_json: event: must be UTF-8" });
  });

  test("gives a visitor a name and a token, and knows them again by a cookie scripts cannot read", async () => {
    const { minted, post } = start();
    const first = await post("/demo/session");
    const { user, token } = (await first.json()) as { user: string; token: string };
    const cookie = first.headers.get("Set-Cookie") ?? "";
    expect(token).toBe("token-1");
    expect(cookie).toContain("HttpOnly");
    expect(cookie).toContain("SameSite=Lax");
    expect(first.headers.get("Cache-Control")).toBe("no-store");
    const second = await post("/demo/session", "", cookie.split(";")[0]);
    expect(((await second.json()) as { user: string }).user).toBe(user);
    expect(minted.map((claims) => claims.user)).toEqual([user, user]);
  });

  test("lets nobody choose their own name", async () => {
    const { post } = start();
    const answer = await post("/demo/session", "", "telltale_visitor=alice");
    expect(((await answer.json()) as { user: string }).user).toStartWith("visitor-");
  });

  test("a visitor of this machine may cancel", async () => {
    const { minted, post } = start();
    expect(await (await post("/demo/session")).json()).toMatchObject({ may_cancel: true });
    expect(minted[0]?.scopes).toEqual(["analysis:cancel"]);
  });

  test("a visitor's token carries no scope if others reach the gateway: a visitor only watches", async () => {
    const { minted, post } = start({ ownNamesOnly: false });
    await post("/demo/session");
    expect(minted[0]?.scopes).toEqual([]);
  });

  test("starts a pipeline that may publish to its own analysis and no other, over HTTP", async () => {
    const { minted, post, heard } = start();
    const answer = await post("/demo/analyses", '{"outcome":"authentic","speed":2}');
    expect(answer.status).toBe(201);
    const { analysis_id } = (await answer.json()) as { analysis_id: string };
    expect(minted[0]).toMatchObject({ analyses: [analysis_id], scopes: ["analysis:publish"] });
    expect(await heard).toBe(`PUT /v1/analyses/${analysis_id} Bearer token-1`);
  });

  test.each(['{"outcome":"maybe"}', '{"speed":0}', '{"speed":51}', '"fake"', "[]", "{"])(
    "refuses the wish %s",
    async (body) => {
      const { post } = start();
      const answer = await post("/demo/analyses", body);
      expect(answer.status).toBe(422);
      expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    },
  );

  test("runs twenty at once and no more: the next is told to wait", async () => {
    const { post } = start();
    const statuses: number[] = [];
    for (let count = 0; count < 21; count += 1) statuses.push((await post("/demo/analyses")).status);
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 201), 429]);
    const refused = await post("/demo/analyses");
    expect(refused.headers.get("Retry-After")).toBe("10");
    expect(await refused.json()).toMatchObject({ status: 429, code: "too_many_demos" });
  });
});
