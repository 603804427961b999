import { describe, expect, test } from "bun:test";
import {
  bearerOf,
  offersProtocol,
  presentedToken,
  type TokenSources,
} from "../../../src/session/presented-token.ts";
import { processorTime } from "../../support/processor-time.ts";

const NONE: TokenSources = {
  query: [],
  authorization: null,
  protocols: null,
  cookie: null,
  cookieTrusted: true,
};

describe("WS-2: presentedToken()", () => {
  const present = (sources: Partial<TokenSources>) => presentedToken({ ...NONE, ...sources });

  test.each([
    ["the query", { query: ["a.b.c"] }],
    ["the Authorization header", { authorization: "Bearer a.b.c" }],
    ["the header, in another spelling", { authorization: "bearer   a.b.c " }],
    ["the subprotocol beside ours", { protocols: "telltale.v1, bearer.a.b.c" }],
    ["the subprotocol alone", { protocols: "bearer.a.b.c" }],
    ["the cookie", { cookie: "theme=dark; access_token=a.b.c; other=1" }],
    ["the cookie in quotes", { cookie: 'access_token="a.b.c"' }],
  ])("takes the token from %s", (_, sources) => {
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
  ])("TOK-2: takes the bare token from the cookie %s", (cookie) => {
    expect(present({ cookie })).toEqual({ type: "token", token: "a.b.c" });
  });

  test("TOK-2: takes the bare token from every other source, and one token from several spellings", () => {
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
    "TOK-2: finds no token in the cookie %s",
    (cookie) => {
      expect(present({ cookie })).toEqual({ type: "missing" });
    },
  );

  test.each([
    `${'"'.repeat(500_000)}a"b`,
    `Bearer${" ".repeat(500_000)}a b`,
    `a${"%22".repeat(200_000)}b`,
    "bearer ".repeat(80_000),
  ])("TOK-2: reads a long text in linear time", (text) => {
    // A quadratic search of as much takes minutes.
    const spent = processorTime();
    present({ cookie: `access_token=${text}`, query: [text], authorization: `Bearer ${text}` });
    expect(spent()).toBeLessThan(3_000);
  });

  test.each([
    ["query and header", { query: ["q"], authorization: "Bearer h" }],
    ["the query twice", { query: ["q", "r"] }],
    ["query and subprotocol", { query: ["q"], protocols: "telltale.v1, bearer.p" }],
    ["header and subprotocol", { authorization: "Bearer h", protocols: "bearer.p" }],
    ["two subprotocols", { protocols: "bearer.p, bearer.q" }],
  ])("reports two different tokens in %s", (_, sources) => {
    expect(present({ ...sources, cookie: "access_token=q" })).toEqual({ type: "conflicting" });
  });

  test("takes the same token in several places for one", () => {
    const sources = { query: ["t", "", "t"], authorization: "Bearer t", protocols: "telltale.v1, bearer.t" };
    expect(present(sources)).toEqual({ type: "token", token: "t" });
  });

  test("ignores the cookie if another source has a token", () => {
    expect(present({ query: ["q"], cookie: "access_token=c" })).toEqual({ type: "token", token: "q" });
  });

  test("ignores the cookie of a page that is not trusted", () => {
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
  ])("finds no token in %s", (_, sources) => {
    expect(present(sources)).toEqual({ type: "missing" });
  });

  test("takes the cookie beside an empty query or another scheme", () => {
    const cookie = "access_token=c";
    expect(present({ query: [""], cookie })).toEqual({ type: "token", token: "c" });
    expect(present({ authorization: "Basic YTpi", cookie })).toEqual({ type: "token", token: "c" });
  });
});

describe("bearerOf()", () => {
  test("reads exactly one token", () => {
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
  test("finds a whole name in the list, not a part of one", () => {
    expect(offersProtocol("bearer.x ,telltale.v1", "telltale.v1")).toBe(true);
    expect(offersProtocol("telltale.v10, x-telltale.v1", "telltale.v1")).toBe(false);
    expect(offersProtocol(null, "telltale.v1")).toBe(false);
  });
});
