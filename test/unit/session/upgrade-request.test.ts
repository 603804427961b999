import { describe, expect, test } from "bun:test";
import type { OriginPolicy } from "../../../src/session/origin-policy.ts";
import { readUpgrade } from "../../../src/session/upgrade-request.ts";

const ID = "0e8dddc7-9ebf-41f3-b08a-5a3f91f1c3c0";
const POLICY: OriginPolicy = { allowedOrigins: ["https://app.example"], mode: "production" };

describe("readUpgrade()", () => {
  const read = (path: string, headers: Record<string, string> = {}, policy = POLICY) =>
    readUpgrade(
      new Request(`http://telltale.example${path}`, {
        headers: { Upgrade: "websocket", Host: "telltale.example", ...headers },
      }),
      policy,
    );
  const intent = (query: string) => read(`/ws/analysis/${ID}?${query}`)?.intent;

  test("reads the analysis and the token without checking them", () => {
    expect(read(`/ws/analysis/${ID}?token=t`)?.intent).toEqual({
      analysisId: ID,
      token: { type: "token", token: "t" },
      originAllowed: true,
      replay: { mode: "latest", after: undefined },
      untilTerminal: false,
      markers: false,
      strict: false,
      conflates: true,
      faults: [],
    });
    expect(read("/ws/analysis/no-uuid")?.intent).toMatchObject({
      analysisId: "no-uuid",
      token: { type: "missing" },
    });
    expect(read(`/ws/analysis/${ID}/`)?.intent.analysisId).toBe(ID);
    expect(read("/ws/analysis/")?.intent.analysisId).toBe("");
    // A percent-encoded id is the same id, as over HTTP. One that cannot be decoded stays as it came.
    expect(read(`/ws/analysis/%${ID.charCodeAt(0).toString(16)}${ID.slice(1)}`)?.intent.analysisId).toBe(ID);
    expect(read("/ws/analysis/%zz")?.intent.analysisId).toBe("%zz");
  });

  test("WSM-10: reads conflate and until of /ws, and reports a position in its query", () => {
    for (const path of ["/ws", "/ws/"])
      expect(read(`${path}?token=t&conflate=none&until=terminal`)?.intent).toEqual({
        analysisId: null,
        token: { type: "token", token: "t" },
        originAllowed: true,
        replay: { mode: "latest", after: undefined },
        untilTerminal: true,
        conflates: false,
        markers: false,
        strict: false,
        faults: [],
      });
    const misplaced = read("/ws?last_event_id=abc-7&replay=all&until=&conflate=all")?.intent;
    expect(misplaced).toMatchObject({ replay: { mode: "latest", after: undefined }, conflates: true });
    expect(misplaced?.faults.map(({ code, message }) => [code, message.split(" ")[0]])).toEqual([
      ["invalid_query", "conflate"],
      ["invalid_query", "last_event_id"],
      ["invalid_query", "replay"],
    ]);
    expect(read("/ws?last_event_id=&replay=")?.intent.faults).toEqual([]);
  });

  test("WS-2: reports two different tokens in one query, not the same one twice", () => {
    expect(intent("token=t&token=u")?.token).toEqual({ type: "conflicting" });
    expect(intent("token=t&token=t&token=")?.token).toEqual({ type: "token", token: "t" });
    expect(read("/ws?token=t&token=u")?.intent.token).toEqual({ type: "conflicting" });
  });

  test("ignores a request whose address is none", () => {
    // The runtime gives such a URL if the Host header is empty or names no host.
    for (const url of [`/ws/analysis/${ID}`, `http://[::/ws/analysis/${ID}`]) {
      const request = { url, headers: new Headers({ Upgrade: "websocket" }) } as Request;
      expect(readUpgrade(request, POLICY)).toBeUndefined();
    }
  });

  test("ignores a request that is no upgrade, or is for another path", () => {
    expect(readUpgrade(new Request(`http://telltale.example/ws/analysis/${ID}`), POLICY)).toBeUndefined();
    expect(read(`/ws/analysis/${ID}`, { Upgrade: "h2c" })).toBeUndefined();
    for (const path of [
      "/",
      "/ws/analysis",
      "/wss",
      "/ws/other",
      `/ws/analysis/${ID}/events`,
      `/v1/analyses/${ID}`,
      `/x/ws/analysis/${ID}`,
    ])
      expect([path, read(path)]).toEqual([path, undefined]);
    expect(read(`/ws/analysis/${ID}`, { Upgrade: "WebSocket" })).toBeDefined();
  });

  test("WS-2: accepts telltale.v1 only, and no protocol if the client did not offer it", () => {
    const echoed = (protocols: string) =>
      read(`/ws/analysis/${ID}`, { "Sec-WebSocket-Protocol": protocols })?.protocol;
    expect(echoed("bearer.secret, telltale.v1")).toBe("telltale.v1");
    expect(echoed("bearer.secret")).toBeUndefined();
  });

  test("WS-2: trusts the cookie only of a page of an allowed origin", () => {
    const tokenOf = (headers: Record<string, string>, policy = POLICY) =>
      read(`/ws/analysis/${ID}`, { Cookie: "access_token=c", ...headers }, policy)?.intent.token.type;
    expect(tokenOf({ Origin: "https://app.example" })).toBe("token");
    expect(tokenOf({ Origin: "https://evil.example" })).toBe("missing");
    expect(tokenOf({})).toBe("missing");
  });

  test("TOK-3: trusts no cookie if every page is allowed, and every other source as before", () => {
    const everywhere: OriginPolicy = { allowedOrigins: "*", mode: "production" };
    const tokenOf = (headers: Record<string, string>, query = "") =>
      read(`/ws/analysis/${ID}${query}`, headers, everywhere)?.intent.token;
    const cookie = { Cookie: "access_token=c" };
    for (const origin of ["https://evil.example", "http://telltale.example", "null"])
      expect(tokenOf({ ...cookie, Origin: origin })).toEqual({ type: "missing" });
    const presented = { type: "token", token: "t" } as const;
    expect(tokenOf({ ...cookie, Origin: "https://evil.example" }, "?token=t")).toEqual(presented);
    expect(tokenOf({ ...cookie, "Sec-WebSocket-Protocol": "telltale.v1, bearer.t" })).toEqual(presented);
  });

  test("WS-15: tells whether the origin is allowed", () => {
    const allowed = (origin: string) => read(`/ws/analysis/${ID}`, { Origin: origin })?.intent.originAllowed;
    expect(allowed("https://app.example")).toBe(true);
    expect(allowed("https://evil.example")).toBe(false);
  });

  test("RES-3: reads the position to resume from, an empty one as none and an unreadable one as gone", () => {
    expect(intent("last_event_id=abc-7")?.replay.after).toEqual({ epoch: "abc", offset: 7 });
    expect(intent("last_event_id=0")?.replay.after).toEqual({ epoch: "", offset: 0 });
    expect(intent("last_event_id=")?.replay.after).toBeUndefined();
    for (const rubbish of ["nonsense", "abc-0", "abc-07", "-1", "abc-99999999999999999"])
      expect([rubbish, intent(`last_event_id=${rubbish}`)?.replay.after]).toEqual([rubbish, "unreadable"]);
  });

  test("RES-4: reads replay and until", () => {
    expect(intent("replay=all&until=terminal")).toMatchObject({
      replay: { mode: "all" },
      untilTerminal: true,
      faults: [],
    });
    expect(intent("replay=none")?.replay.mode).toBe("none");
    expect(intent("replay=&until=&conflate=")).toMatchObject({ replay: { mode: "latest" }, faults: [] });
    expect(intent("conflate=none")?.faults).toEqual([]);
  });

  test("RES-7: reports each unknown value and applies the default", () => {
    const read = intent("replay=everything&until=tomorrow&conflate=all&other=1");
    expect(read).toMatchObject({ replay: { mode: "latest" }, untilTerminal: false });
    expect(read?.faults.map(({ code, message }) => [code, message.split(" ")[0]])).toEqual([
      ["invalid_query", "replay"],
      ["invalid_query", "until"],
      ["invalid_query", "conflate"],
    ]);
    expect(JSON.stringify(read?.faults)).not.toContain("everything");
  });
});
