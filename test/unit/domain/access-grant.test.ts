import { describe, expect, test } from "bun:test";
import { AccessGrant, type VerifiedToken } from "../../../src/domain/access-grant.ts";
import type { AnalysisId } from "../../../src/domain/channel.ts";

const MINE = "0e8dddc7-9ebf-41f3-b08a-5a3f91f1c3c0" as AnalysisId;
const OTHER = "0e8dddc7-9ebf-41f3-b08a-5a3f91f1c3c1" as AnalysisId;

function grant(token: Partial<VerifiedToken> = {}): AccessGrant {
  return new AccessGrant({
    userId: "alice",
    scopes: new Set(),
    analyses: undefined,
    expiresAt: 1_000,
    unreadable: {},
    ...token,
  });
}

function mayWatch(grant: AccessGrant, ...asked: Parameters<AccessGrant["judge"]>): boolean {
  return grant.judge(...asked) === "allowed";
}

test("a grant says whose it is, until when, and with which scopes", () => {
  const given = grant({ scopes: new Set(["notice:publish"]) });
  expect([given.userId, given.expiresAt]).toEqual(["alice", 1_000]);
  expect(given.hasScope("notice:publish")).toBe(true);
  expect(given.hasScope("analysis:publish")).toBe(false);
});

describe("WS-17: the right to watch is decided by the first that applies", () => {
  const alice = new Set(["alice"]);
  const bob = new Set(["bob"]);

  test("the token's claim, before declared viewers and the default", () => {
    const named = grant({ analyses: new Set([MINE]) });
    expect(mayWatch(named, MINE, bob, "deny")).toBe(true);
    expect(mayWatch(named, OTHER, alice, "allow")).toBe(false);
    expect(mayWatch(named, OTHER, "*", "allow")).toBe(false);
    expect(mayWatch(grant({ analyses: "*" }), OTHER, bob, "deny")).toBe(true);
    expect(mayWatch(grant({ analyses: new Set() }), MINE, alice, "allow")).toBe(false);
  });

  test("the declared viewers, before the default", () => {
    expect(mayWatch(grant(), MINE, alice, "deny")).toBe(true);
    expect(mayWatch(grant(), MINE, "*", "deny")).toBe(true);
    expect(mayWatch(grant(), MINE, bob, "allow")).toBe(false);
    expect(mayWatch(grant(), MINE, new Set(), "allow")).toBe(false);
    expect(mayWatch(grant({ userId: undefined }), MINE, alice, "allow")).toBe(false);
  });

  test("the default, if nothing else says", () => {
    expect(mayWatch(grant(), MINE, undefined, "allow")).toBe(true);
    expect(mayWatch(grant(), MINE, undefined, "deny")).toBe(false);
  });
});

describe("PUB-8: the right to publish to an analysis", () => {
  const scopes = new Set(["analysis:publish"]);

  test("a token with the scope, within its claim", () => {
    expect(grant({ scopes }).mayPublishTo(MINE)).toBe(true);
    expect(grant({ scopes, analyses: "*" }).mayPublishTo(MINE)).toBe(true);
    expect(grant({ scopes, analyses: new Set([MINE]) }).mayPublishTo(MINE)).toBe(true);
    expect(grant({ scopes, analyses: new Set([MINE]) }).mayPublishTo(OTHER)).toBe(false);
  });

  test("no token without the scope, whatever its claim", () => {
    expect(grant({ analyses: "*" }).mayPublishTo(MINE)).toBe(false);
  });
});
