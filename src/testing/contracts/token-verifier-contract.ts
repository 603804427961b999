import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";
import { AccessUndecided, TokenRejected } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import { ManualClock } from "../manual-clock.ts";

export interface VerifierUnderTest {
  verifier(clock: ClockPort): TokenVerifierPort;
  /** Signs `claims` as they are with the key that the verifier expects. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
  /**
   * A capability: a verifier that has to ask somebody who is away now. Left out for a verifier that asks nobody, which
   * always says yes or no.
   */
  undecided?(clock: ClockPort): TokenVerifierPort;
}

const ID = "0f8fad5b-d9cb-469f-a165-70867728950e";

export function tokenVerifierContract(name: string, { verifier, sign, undecided }: VerifierUnderTest): void {
  const clock = new ManualClock();
  const seconds = clock.now() / 1000;
  const hour = { exp: seconds + 3600 };
  const verify = (token: string, at: ClockPort = clock) => verifier(at).verify(token);
  const verifyClaims = async (claims: Readonly<Record<string, unknown>>) =>
    verify(await sign({ ...hour, ...claims }));

  describe(`${name}: the rules of TokenVerifierPort`, () => {
    test("TV-1 says who the token is for, what it may do and when it ends", async () => {
      const claims = { user_id: "alice", scope: "analysis:publish notice:publish", analyses: [ID] };
      expect(await verifyClaims(claims)).toEqual({
        userId: "alice",
        scopes: new Set(["analysis:publish", "notice:publish"]),
        analyses: new Set([ID]),
        expiresAt: hour.exp * 1000,
        unreadable: {},
      });
    });

    test("TV-1 refuses an expired token from the very millisecond on", async () => {
      const token = await sign({ user_id: "alice", exp: seconds + 1.5 });
      const later = new ManualClock(clock.now() + 1499);
      await verify(token, later);
      later.advance(1);
      expect(await refusal(verify(token, later))).toBe("expired");
      expect(await refusal(verify(await sign({ exp: seconds - 1 })))).toBe("expired");
    });

    test("TV-1 takes an expiry beyond all time for a time that can still be written down", async () => {
      const { expiresAt } = await verifyClaims({ exp: 1e300 });
      expect(() => new Date(expiresAt).toISOString()).not.toThrow();
    });

    test("TV-2 refuses a token without an expiry", async () => {
      expect(await refusal(sign({ user_id: "alice" }).then((token) => verify(token)))).toBe("no expiry");
    });

    test.each([
      ["nbf", "not valid yet"],
      ["iat", "issued in the future"],
    ])(
      "TV-2 refuses a token whose %s is over 30 s ahead, and takes it from then on",
      async (claim, reason) => {
        const token = await sign({ ...hour, [claim]: seconds + 40 });
        const later = new ManualClock(clock.now() + 9999);
        expect(await refusal(verify(token, later))).toBe(reason);
        later.advance(1);
        await verify(token, later);
        await verifyClaims({ [claim]: seconds + 2 });
      },
    );

    test("TV-2 gives no leeway to the expiry, whatever nbf and iat say", async () => {
      const ended = { exp: seconds - 0.001, nbf: seconds - 60, iat: seconds - 60 };
      expect(await refusal(verifyClaims(ended))).toBe("expired");
    });

    test.each([
      [{ user_id: "alice", sub: "bob" }, "alice"],
      [{ sub: "bob" }, "bob"],
      [{ user_id: 42 }, "42"],
      [{ user_id: "ü".repeat(128) }, "ü".repeat(128)],
      [{ sub: 7 }, "7"],
      [{ user_id: " " }, undefined],
      [{ user_id: "", sub: "bob" }, undefined],
      [{ user_id: "alice", sub: ["bob"] }, "alice"],
      [{}, undefined],
    ])("TV-3 reads %j as the user %j", async (claims, userId) => {
      expect((await verifyClaims(claims)).userId).toBe(userId);
    });

    test.each([
      [undefined, []],
      ["", []],
      ["  a   b ", ["a", "b"]],
      [[], []],
      [
        ["a", "b c", ""],
        ["a", "b", "c"],
      ],
    ])("TV-4 reads the scope %j as %j", async (scope, scopes) => {
      expect((await verifyClaims({ scope })).scopes).toEqual(new Set<string>(scopes));
    });

    test("TV-5 keeps the ids of analyses in lower case, and tells none from no claim and from all", async () => {
      expect((await verifyClaims({ analyses: [ID.toUpperCase()] })).analyses).toEqual(new Set([ID]));
      expect((await verifyClaims({ analyses: [] })).analyses).toEqual(new Set());
      expect((await verifyClaims({ analyses: "*" })).analyses).toBe("*");
      expect((await verifyClaims({})).analyses).toBeUndefined();
    });

    test.each([
      { analyses: "all" },
      { analyses: ID },
      { analyses: {} },
      { analyses: false },
      { analyses: "" },
      { analyses: ["*"] },
      { analyses: [ID, "not-an-id"] },
      { analyses: [ID, null] },
      { analyses: [1] },
      { exp: "tomorrow" },
      { exp: false },
      { nbf: "yesterday" },
      { nbf: [] },
    ])("TV-6 refuses %j", async (claims) => {
      const [claim] = Object.keys(claims);
      expect(await refusal(verifyClaims(claims))).toBe(`malformed claim ${claim}`);
    });

    test("TV-9 takes a claim that is null for an absent one", async () => {
      const claims = { user_id: null, sub: "bob", scope: null, analyses: null, nbf: null, iat: null };
      expect(await verifyClaims(claims)).toEqual({
        userId: "bob",
        scopes: new Set(),
        analyses: undefined,
        expiresAt: hour.exp * 1000,
        unreadable: {},
      });
      expect((await verifyClaims({ user_id: null, sub: null })).userId).toBeUndefined();
      expect(await refusal(verifyClaims({ exp: null }))).toBe("no expiry");
    });

    test.each([
      { user_id: { name: "alice" } },
      { user_id: true },
      { user_id: false },
      { user_id: 1.5 },
      { user_id: 2 ** 53 },
      { user_id: "half a \ud83c" },
      { user_id: "u".repeat(257) },
      { sub: "ü".repeat(129) },
      { user_id: ["alice"], sub: "bob" },
      { sub: ["bob"] },
      { sub: {} },
      { scope: { analysis: "publish" } },
      { scope: 7 },
      { scope: true },
      { scope: ["analysis:publish", 7] },
      { scope: [["analysis:publish"]] },
      { scope: [null] },
    ])("TV-10 takes %j for a token that does not say it, and names the claim", async (claims) => {
      const [claim = ""] = Object.keys(claims);
      const { userId, scopes, unreadable } = await verifyClaims(claims);
      expect([userId, scopes]).toEqual([undefined, new Set()]);
      expect(unreadable).toEqual(claim === "scope" ? { scope: claim } : { user: claim });
    });

    test.each([{ iat: "2026-11-24" }, { iat: {} }, { jti: 7 }, { iss: [] }, { aud: false }])(
      "TV-10 takes a token whose claims %j nobody needs",
      async (claims) => {
        expect(await verifyClaims({ ...claims, user_id: "alice" })).toMatchObject({
          userId: "alice",
          unreadable: {},
        });
      },
    );

    test("TV-7 refuses claims that were changed after signing", async () => {
      const [header, , signature] = (await sign({ ...hour, user_id: "alice" })).split(".");
      const forged = Buffer.from(JSON.stringify({ ...hour, user_id: "root" })).toString("base64url");
      expect(await refusal(verify(`${header}.${forged}.${signature}`))).toBe("bad signature");
    });

    test.each(["", ".", "..", "a.b.c", "a.b.c.d.e", "e30.e30.e30", "\u{1F511}", "null", " "])(
      "TV-7 refuses %j, which is no token",
      async (text) => {
        expect(await refusal(verify(text))).toBe("malformed");
      },
    );

    test("TV-7 refuses a token of unreasonable length, however well signed", async () => {
      expect(await refusal(verifyClaims({ padding: "x".repeat(8192) }))).toBe("too long");
    });

    test("TV-8 refuses without a word of the token", async () => {
      const token = await sign({ exp: seconds - 1, user_id: "alice-the-secret" });
      const error = await verify(token).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(TokenRejected);
      expect(inspect(error)).not.toMatch(/alice-the-secret|eyJ/);
      expect((error as Error).cause).toBeUndefined();
    });

    if (undecided !== undefined) {
      test("TV-11 says that nobody can decide now, without a word of the token, and refuses no token for it", async () => {
        const token = await sign({ ...hour, user_id: "alice-the-secret" });
        const error = await undecided(clock)
          .verify(token)
          .catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(AccessUndecided);
        expect(error).not.toBeInstanceOf(TokenRejected);
        expect(inspect(error)).not.toMatch(/alice-the-secret|eyJ/);
      });
    }
  });
}

/** The reason that a verification was refused for. */
export async function refusal(verification: Promise<unknown>): Promise<string> {
  const outcome = await verification.catch((error: unknown) => error);
  if (outcome instanceof TokenRejected) return outcome.message;
  throw outcome instanceof Error ? outcome : new Error("the token was accepted");
}
