import { describe, expect, test } from "bun:test";
import {
  bearerOf,
  offersProtocol,
  presentedToken,
  type TokenSources,
} from "../../../src/adapters/presented-token.ts";

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
