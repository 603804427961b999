import { describe, expect, test } from "bun:test";
import {
  bearerOf,
  offersProtocol,
  presentedToken,
  type TokenSources,
} from "../../../src/session/presented-token.ts";

const NONE: TokenSources = {
  query: [],
  authorization: null,
  protocols: null,
  cookie: null,
  cookieTrusted: true,
};

describe("WS-2: the token of a watcher", () => {
  const present = (sources: Partial<TokenSources>) => presentedToken({ ...NONE, ...sources });

  test.each([
    ["the query", { query: ["a.b.c"] }],
    ["the Authorization header", { authorization: "Bearer a.b.c" }],
    ["the header, in another spelling", { authorization: "bearer   a.b.c " }],
    ["the subprotocol beside ours", { protocols: "telltale.v1, bearer.a.b.c" }],
    ["the subprotocol alone", { protocols: "bearer.a.b.c" }],
    ["the cookie", { cookie: "theme=dark; access_token=a.b.c; other=1" }],
    ["the cookie in quotes", { cookie: 'access_token="a.b.c"' }],
  ])("is taken from %s", (_, sources) => {
    expect(present(sources)).toEqual({ type: "token", token: "a.b.c" });
  });

  test.each([
    'access_token="Bearer a.b.c"',
    "access_token=Bearer%20a.b.c",
    "access_token=Bearer a.b.c; other=1",
    "access_token=bearer+a.b.c",
    'access_token="a.b.c"',
    "access_token=%22Bearer%20a.b.c%22",
    "access_token= a.b.c ",
    'theme="dark"; access_token="BEARER   a.b.c" ',
  ])("TOK-2: is bare, though the cookie is %s", (cookie) => {
    expect(present({ cookie })).toEqual({ type: "token", token: "a.b.c" });
  });

  test("TOK-2: is bare at every other door, and one token where several doors dress it differently", () => {
    const sources = {
      query: ["Bearer a.b.c", "a.b.c", '"a.b.c"', " a.b.c"],
      authorization: "Bearer Bearer a.b.c",
      protocols: "telltale.v1, bearer.Bearer%20a.b.c",
    };
    expect(present(sources)).toEqual({ type: "token", token: "a.b.c" });
    for (const [door, source] of Object.entries(sources))
      expect(present({ [door]: source })).toEqual({ type: "token", token: "a.b.c" });
  });

  test.each(['access_token=""', "access_token=%22%22", "access_token=   "])(
    "TOK-2: is missing where nothing but %s is there",
    (cookie) => {
      expect(present({ cookie })).toEqual({ type: "missing" });
    },
  );

  test.each([
    `${'"'.repeat(50_000)}a"b`,
    `Bearer${" ".repeat(50_000)}a b`,
    `a${"%22".repeat(20_000)}b`,
    "bearer ".repeat(8_000),
  ])("TOK-2: is looked for in time that grows with the length alone", (text) => {
    const before = performance.now();
    present({ cookie: `access_token=${text}`, query: [text], authorization: `Bearer ${text}` });
    expect(performance.now() - before).toBeLessThan(200);
  });

  test.each([
    ["query and header", { query: ["q"], authorization: "Bearer h" }],
    ["the query twice", { query: ["q", "r"] }],
    ["query and subprotocol", { query: ["q"], protocols: "telltale.v1, bearer.p" }],
    ["header and subprotocol", { authorization: "Bearer h", protocols: "bearer.p" }],
    ["two subprotocols", { protocols: "bearer.p, bearer.q" }],
  ])("that differs between %s is conflicting", (_, sources) => {
    expect(present({ ...sources, cookie: "access_token=q" })).toEqual({ type: "conflicting" });
  });

  test("that is the same in several places is one token", () => {
    const sources = { query: ["t", "", "t"], authorization: "Bearer t", protocols: "telltale.v1, bearer.t" };
    expect(present(sources)).toEqual({ type: "token", token: "t" });
  });

  test("in a cookie counts only when there is none elsewhere, whatever it is", () => {
    expect(present({ query: ["q"], cookie: "access_token=c" })).toEqual({ type: "token", token: "q" });
  });

  test("in a cookie of a page that is not trusted is no token", () => {
    expect(present({ cookie: "access_token=c", cookieTrusted: false })).toEqual({ type: "missing" });
  });

  test.each([
    ["nothing at all", {}],
    ["an empty query", { query: [""] }],
    ["another scheme", { authorization: "Basic YTpi" }],
    ["a scheme without a token", { authorization: "Bearer" }],
    ["our own subprotocol alone", { protocols: "telltale.v1" }],
    ["other cookies", { cookie: "my_access_token=c; access_token2=d" }],
    ["an empty cookie", { cookie: "access_token=" }],
    ["a cookie without a value", { cookie: "access_tokens; access_token" }],
    ["no cookie at all", { cookie: "" }],
  ])("is missing where there is %s", (_, sources) => {
    expect(present(sources)).toEqual({ type: "missing" });
  });

  test("an empty query leaves the cookie to be looked at, as another scheme does", () => {
    const cookie = "access_token=c";
    expect(present({ query: [""], cookie })).toEqual({ type: "token", token: "c" });
    expect(present({ authorization: "Basic YTpi", cookie })).toEqual({ type: "token", token: "c" });
  });
});

describe("bearerOf()", () => {
  test("reads one token and nothing more", () => {
    expect(["Bearer t", "Bearer t u", "Bearert", "", null].map(bearerOf)).toEqual([
      "t",
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("offersProtocol()", () => {
  test("finds a whole name in the list, and no part of one", () => {
    expect(offersProtocol("bearer.x ,telltale.v1", "telltale.v1")).toBe(true);
    expect(offersProtocol("telltale.v10, x-telltale.v1", "telltale.v1")).toBe(false);
    expect(offersProtocol(null, "telltale.v1")).toBe(false);
  });
});
