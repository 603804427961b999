import { afterEach, describe, expect, test } from "bun:test";
import { type Grant, type TelltaleOptions, TokenRejected } from "telltale/core";
import { RecordingConnection } from "../../../../src/testing/recording-connection.ts";
import { statusUpdate } from "../../../support/publishing.ts";
import { turn } from "../../../support/turn.ts";
import { codeOf } from "../../adapters/http/app-bench.ts";
import { embedded, endEmbedded, requestOf } from "./embedded-bench.ts";

const id = crypto.randomUUID();
const state = `/v1/analyses/${id}`;
const UPGRADE = { Upgrade: "websocket", Connection: "Upgrade", Origin: "http://app.example" };

afterEach(endEmbedded);

describe("an application that says whose request it is", () => {
  const seen: Request[] = [];
  const asking = (grant: Grant | undefined | (() => never), settings: TelltaleOptions["settings"] = {}) => {
    seen.length = 0;
    return embedded({
      settings,
      tokens: async (request) => {
        seen.push(request);
        return typeof grant === "function" ? grant() : grant;
      },
    });
  };

  /** The close of a WebSocket; undefined if the client is let in. */
  async function closeOf(telltale: Awaited<ReturnType<typeof embedded>>, headers = {}) {
    const request = requestOf(`/ws/analysis/${id}`, "ada", { headers: { ...UPGRADE, ...headers } });
    const connection = new RecordingConnection();
    telltale.accept(request)?.open(connection);
    for (let turns = 0; turns < 20; turns++) await turn();
    return connection.closedWith;
  }

  test("EMB-1: is asked on every way in, with the headers and without the body", async () => {
    const telltale = await asking({ userId: "ada", analyses: "*", mayPublish: true, mayNotify: true });
    const body = JSON.stringify(statusUpdate());
    const post = { method: "POST", body };
    expect((await telltale.fetch(requestOf(`${state}/events`, "ada", post))).status).toBe(202);
    expect((await telltale.fetch(requestOf(state, "ada"))).status).toBe(200);
    expect((await telltale.fetch(requestOf(`${state}/events`, "ada"))).status).toBe(200);
    expect((await telltale.fetch(requestOf(state, "ada", { method: "HEAD" }))).status).toBe(200);
    const viewers = { method: "PUT", body: JSON.stringify({ viewers: ["ada"] }) };
    expect((await telltale.fetch(requestOf(state, "ada", viewers))).status).toBe(204);
    const notice = { method: "POST", body: JSON.stringify({ level: "info", message: "hello" }) };
    expect((await telltale.fetch(requestOf("/v1/notices", "ada", notice))).status).toBe(202);
    expect(await closeOf(telltale)).toBeUndefined();
    expect(seen).toHaveLength(7);
    for (const request of seen) {
      expect(request.headers.get("Cookie")).toBe("user=ada");
      expect(request.body).toBeNull();
    }
  });

  test("EMB-2: lets nobody in whom it does not know, nor anybody who may not watch", async () => {
    const nobody = await asking(undefined);
    expect(await codeOf(await nobody.fetch(requestOf(state, "ada")))).toEqual([401, "unauthenticated"]);
    expect(await closeOf(nobody)).toBe(4001);
    const other = await asking({ userId: "bob", analyses: [crypto.randomUUID()] });
    expect(await codeOf(await other.fetch(requestOf(state, "ada")))).toEqual([403, "not_allowed"]);
    expect(await closeOf(other)).toBe(4003);
    const post = requestOf(`${state}/events`, "ada", { method: "POST", body: "{}" });
    expect(await codeOf(await other.fetch(post))).toEqual([403, "scope_missing"]);
    const past = await asking({ userId: "ada", analyses: "*", expiresAt: new Date(0) });
    expect(await codeOf(await past.fetch(requestOf(state, "ada")))).toEqual([401, "unauthenticated"]);
  });

  test.each<[string, Grant | (() => never)]>([
    [
      "throws",
      () => {
        throw new Error("the sessions are away");
      },
    ],
    ["names a user that is no text", { userId: 7 as never, analyses: "*" }],
    ["names an analysis that is none", { userId: "ada", analyses: ["all"] }],
    ["gives one analysis in place of a list", { userId: "ada", analyses: id as never }],
    ["gives a time that is none", { userId: "ada", analyses: "*", expiresAt: new Date("soon") }],
  ])("EMB-3: tells the client to come back if the function %s", async (_, grant) => {
    const telltale = await asking(grant);
    const answer = await telltale.fetch(requestOf(state, "ada"));
    expect(answer.headers.get("Retry-After")).not.toBeNull();
    expect(await codeOf(answer)).toEqual([503, "access_undecided"]);
    expect(await closeOf(telltale)).toBe(1013);
  });

  test("EMB-4: is not asked about a page of another origin", async () => {
    const telltale = await asking({ userId: "ada", analyses: "*", mayPublish: true });
    const headers = { Origin: "https://evil.example" };
    expect(await codeOf(await telltale.fetch(requestOf(state, "ada", { headers })))).toEqual([
      403,
      "origin_not_allowed",
    ]);
    const post = requestOf(`${state}/events`, "ada", { method: "POST", body: "{}", headers });
    expect(await codeOf(await telltale.fetch(post))).toEqual([401, "unauthenticated"]);
    expect(await closeOf(telltale, headers)).toBe(4003);
    expect(seen).toEqual([]);
  });

  test.each([
    ["another site may have caused", {}, { "Sec-Fetch-Site": "cross-site" }],
    ["may be of any page", { ALLOWED_ORIGINS: "*" }, { Origin: "https://evil.example" }],
  ])("EMB-4: gets no cookie of a request that %s", async (_, settings, headers) => {
    const telltale = await asking(undefined, settings);
    await telltale.fetch(requestOf(state, "ada", { headers }));
    expect(seen.map((request) => request.headers.get("Cookie"))).toEqual([null]);
  });

  test("EMB-2: takes no token from a client in place of its answer", async () => {
    const telltale = await asking({ userId: "ada", analyses: "*" });
    const connection = new RecordingConnection();
    const session = telltale
      .accept(requestOf(`/ws/analysis/${id}`, "ada", { headers: UPGRADE }))
      ?.open(connection);
    for (let turns = 0; turns < 20; turns++) await turn();
    session?.received(JSON.stringify({ type: "authenticate", token: "another" }));
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(connection.closedWith).toBe(4001);
  });
});

test("EMB-1: a verifier of tokens in place of the function is asked as in any gateway", async () => {
  const telltale = await embedded({
    tokens: {
      verify: async (token) => {
        if (token !== "good") throw new TokenRejected("no");
        return {
          userId: "ada",
          scopes: new Set<string>(),
          analyses: "*",
          expiresAt: Date.now() + 60_000,
          unreadable: {},
        };
      },
    },
  });
  const status = async (token: string) =>
    (await telltale.fetch(requestOf(state, undefined, { headers: { Authorization: `Bearer ${token}` } })))
      .status;
  expect([await status("good"), await status("bad")]).toEqual([200, 401]);
});
