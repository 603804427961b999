import { describe, expect, test } from "bun:test";
import { SignJWT } from "jose";
import { givenTokenPart } from "../../../../src/gateway/commands/check-given-token.ts";
import { loadConfig } from "../../../../src/gateway/config/config.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();
const HOUR = Math.floor(Date.now() / 1_000) + 3_600;

async function finding(env: Record<string, string>, claims: Record<string, unknown>, key = KEY) {
  const loaded = loadConfig({ JWT_SECRET_KEY: KEY, ...env }, () => "");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(key));
  const found = await givenTokenPart(loaded.config, token).try();
  expect(JSON.stringify(found)).not.toContain(token.slice(0, 20));
  return found;
}

describe("OPS-15: a token that telltale check is given", () => {
  test("is taken, with its user, its scopes and its end", async () => {
    expect(
      await finding({ JWT_AUDIENCE: "telltale" }, { aud: "telltale", sub: "alice", scope: "a b", exp: HOUR }),
    ).toEqual({
      works: true,
      detail: `a gateway takes it: user alice, scopes a b, until ${new Date(HOUR * 1_000).toISOString()}`,
    });
    expect(await finding({}, { exp: HOUR })).toMatchObject({
      detail: expect.stringContaining("no user, so that it cannot watch, no scopes"),
    });
  });

  test.each([
    [
      { JWT_AUDIENCE: "telltale" },
      { aud: ["account"] },
      "wrong audience",
      'its aud is ["account"]; JWT_AUDIENCE is telltale',
    ],
    [{ JWT_AUDIENCE: "a,b" }, {}, "wrong audience", "its aud is not there; JWT_AUDIENCE is a,b"],
    [
      { JWT_ISSUER: "https://a" },
      { iss: "https://b" },
      "wrong issuer",
      'its iss is "https://b"; JWT_ISSUER is https://a',
    ],
    [{}, { exp: 1 }, "expired", "its exp is 1; it is "],
    [{}, { nbf: HOUR }, "not valid yet", `its nbf is ${HOUR}; `],
  ])(
    "is refused with the claim that is expected and the one that is there: %j %j",
    async (env, claims, reason, hint) => {
      expect(await finding(env as Record<string, string>, { sub: "alice", exp: HOUR, ...claims })).toEqual({
        works: false,
        reason: `a gateway refuses it: ${reason}`,
        hint: expect.stringContaining(hint),
      });
    },
  );

  test("is refused with the settings of the keys if another key has signed it", async () => {
    expect(await finding({}, { exp: HOUR }, "x".repeat(32))).toEqual({
      works: false,
      reason: "a gateway refuses it: bad signature",
      hint: "it is signed by HS256: look at JWT_JWKS_URL, JWT_PUBLIC_KEY or JWT_SECRET_KEY",
    });
  });
});
