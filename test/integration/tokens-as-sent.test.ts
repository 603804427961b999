import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { signedClaims } from "../support/signed-claims.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

type Headers = Record<string, string>;
type Claims = Readonly<Record<string, unknown>>;

const PAGE = "https://app.example";
const PUBLISH = { scope: "analysis:publish" };

/** The outcome of a token over WebSocket: 1000 after `connection_established`, else the code of the refusal. */
async function watched(gateway: GatewayProcess, headers: Headers, query: Headers = {}, protocols?: string[]) {
  const url = watchUrl(gateway.url, crypto.randomUUID(), query);
  const socket = new WatchingSocket(url, { headers, ...(protocols && { protocols }) });
  const established = await socket.established().then(
    () => true,
    () => false,
  );
  if (established) await socket.leave();
  return established ? 1000 : (await socket.closed).code;
}

async function read(gateway: GatewayProcess, headers: Headers, query = ""): Promise<number> {
  const id = crypto.randomUUID();
  return (await fetch(`${gateway.url}/v1/analyses/${id}${query}`, { headers })).status;
}

async function streamed(gateway: GatewayProcess, headers: Headers): Promise<number> {
  const url = `${gateway.url}/v1/analyses/${crypto.randomUUID()}/events`;
  const answer = await fetch(url, { headers: { ...headers, Accept: "text/event-stream" } });
  await answer.body?.cancel();
  return answer.status;
}

describe("tokens as others send them, on a real gateway", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const watching = (claims: Claims) => watched(gateway, {}, { token: signedClaims(claims) });
  const publishing = async (claims: Claims) => {
    const token = { Authorization: `Bearer ${signedClaims(claims)}` };
    return (await publish(gateway, crypto.randomUUID(), statusUpdate(), token)).status;
  };
  const seconds = () => Math.floor(Date.now() / 1000);

  test("TV-2: a token whose nbf or iat is a little ahead is good on every way in, one far ahead on none", async () => {
    for (const claim of ["nbf", "iat"]) {
      const ahead = (by: number) => ({ ...PUBLISH, user_id: "alice", [claim]: seconds() + by });
      expect(await watching(ahead(2))).toBe(1000);
      expect(await watching(ahead(25))).toBe(1000);
      expect(await publishing(ahead(2))).toBe(202);
      expect(await read(gateway, { Authorization: `Bearer ${signedClaims(ahead(2))}` })).toBe(200);
      expect(await watching(ahead(60))).toBe(4001);
      expect(await publishing(ahead(60))).toBe(401);
    }
    expect(await watching({ user_id: "alice", exp: seconds() - 1, iat: seconds() - 60 })).toBe(4001);
  });

  test.each<[string, Claims]>([
    ["an array of scopes", { user_id: "alice", scope: ["openid", "profile"] }],
    ["a scope of null", { user_id: "alice", scope: null }],
    ["a scope that is an object", { user_id: "alice", scope: { read: true } }],
    ["user_id null beside sub", { user_id: null, sub: "alice" }],
    ["every optional claim null", { sub: "alice", scope: null, analyses: null, nbf: null, iat: null }],
    ["iat as text", { user_id: "alice", iat: "2026-11-24T00:00:00Z" }],
    ["a sub that is not needed", { user_id: "alice", sub: { id: 7 } }],
  ])("TOK-1: %s does not keep a watcher out", async (_, claims) => {
    expect(await watching(claims)).toBe(1000);
    const bearer = { Authorization: `Bearer ${signedClaims(claims)}` };
    expect(await read(gateway, bearer)).toBe(200);
    expect(await streamed(gateway, bearer)).toBe(200);
  });

  test.each<[string, Claims]>([
    ["an array of scopes", { scope: ["analysis:publish", "other"] }],
    ["an array with a text of several", { scope: ["other analysis:publish"] }],
    ["a user_id that is an object", { ...PUBLISH, user_id: { name: "worker" } }],
    ["a user_id that is too long", { ...PUBLISH, user_id: "u".repeat(300) }],
    ["a sub that is an array", { ...PUBLISH, sub: ["worker"] }],
    ["analyses null", { ...PUBLISH, analyses: null }],
  ])("TOK-1: %s does not keep a publisher out", async (_, claims) => {
    expect(await publishing(claims)).toBe(202);
  });

  test.each<[string, Claims, number, number]>([
    ["a user_id that is an object", { ...PUBLISH, user_id: { name: "alice" }, sub: "alice" }, 4001, 202],
    ["user_id and sub null", { ...PUBLISH, user_id: null, sub: null }, 4001, 202],
    ["a scope that is a number", { user_id: "alice", scope: 7 }, 1000, 403],
    ["an array of scopes with a number", { user_id: "alice", scope: ["analysis:publish", 7] }, 1000, 403],
    ["analyses that are no ids", { ...PUBLISH, user_id: "alice", analyses: ["all"] }, 4001, 401],
    ["analyses that are text", { ...PUBLISH, user_id: "alice", analyses: "all" }, 4001, 401],
    ["an end that is text", { ...PUBLISH, user_id: "alice", exp: "never" }, 4001, 401],
  ])("TOK-1: %s refuses the requests that need the claim", async (_, claims, watch, sent) => {
    expect([await watching(claims), await publishing(claims)]).toEqual([watch, sent]);
  });

  test("TOK-1: a refusal for a scope that nobody can read says so", async () => {
    const token = { Authorization: `Bearer ${signedClaims({ scope: { publish: true } })}` };
    const answer = await publish(gateway, crypto.randomUUID(), statusUpdate(), token);
    expect(await answer.json()).toMatchObject({
      code: "scope_missing",
      detail: "needs analysis:publish; malformed claim scope",
    });
  });

  test.each([
    (token: string) => `access_token="Bearer ${token}"`,
    (token: string) => `access_token=Bearer%20${token}`,
    (token: string) => `theme=dark; access_token=Bearer ${token}; a=b`,
    (token: string) => `access_token="${token}"`,
  ])(
    "TOK-2: a cookie in the form of other frameworks lets in over WebSocket, GET and SSE (%#)",
    async (form) => {
      const headers = { Cookie: form(await tokenFor()), Origin: PAGE };
      expect(await watched(gateway, headers)).toBe(1000);
      expect(await read(gateway, headers)).toBe(200);
      expect(await streamed(gateway, headers)).toBe(200);
    },
  );

  test("TOK-2: the word Bearer does no harm in the query, twice in the header, in a subprotocol, in a frame", async () => {
    const token = await tokenFor();
    expect(await watched(gateway, {}, { token: `Bearer ${token}` })).toBe(1000);
    expect(await watched(gateway, { Authorization: `Bearer Bearer ${token}` })).toBe(1000);
    expect(await watched(gateway, {}, {}, ["telltale.v1", `bearer.Bearer%20${token}`])).toBe(1000);
    expect(await read(gateway, {}, `?token=Bearer+${token}`)).toBe(200);
    const published = await publish(gateway, crypto.randomUUID(), statusUpdate(), {
      Authorization: `Bearer "${signedClaims(PUBLISH)}"`,
    });
    expect(published.status).toBe(202);

    const socket = new WatchingSocket(watchUrl(gateway.url, crypto.randomUUID(), { token }));
    await socket.established();
    socket.send({ type: "authenticate", token: `Bearer ${token}` });
    await socket.untilType("authenticated");
    await socket.leave();
  });
});

describe("ALLOWED_ORIGINS=* on a real gateway", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway({ ALLOWED_ORIGINS: "*" });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  test("TOK-3: a cookie lets nobody in, over WebSocket, GET or SSE, whatever the page", async () => {
    const cookie = `access_token=${await tokenFor()}`;
    const own = { Cookie: cookie, Origin: new URL(gateway.url).origin };
    for (const headers of [{ Cookie: cookie }, { Cookie: cookie, Origin: PAGE }, own]) {
      expect(await watched(gateway, headers)).toBe(4001);
      expect(await read(gateway, headers)).toBe(401);
      expect(await streamed(gateway, headers)).toBe(401);
    }
  });

  test("TOK-3: a token that the page presents itself is good, with or without a cookie beside it", async () => {
    const token = await tokenFor();
    const headers = { Authorization: `Bearer ${token}`, Origin: PAGE, Cookie: "access_token=other" };
    expect(await watched(gateway, headers)).toBe(1000);
    expect(await read(gateway, headers)).toBe(200);
    expect(await watched(gateway, { Origin: PAGE }, { token })).toBe(1000);
  });
});
