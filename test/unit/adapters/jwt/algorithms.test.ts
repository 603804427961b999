import { describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { JoseTokenVerifier, type OwnKeys } from "../../../../src/adapters/jwt/jose-token-verifier.ts";
import { ORDINARY_CLAIMS } from "../../../../src/domain/claim-rules.ts";
import { refusal } from "../../../../src/testing/contracts/token-verifier-contract.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { encoded, type IssuedAlgorithm, IssuerKey } from "../../../support/local-issuer.ts";

const ALGORITHMS: readonly IssuedAlgorithm[] = ["RS256", "PS256", "ES256", "EdDSA"];
const KEYS = new Map(ALGORITHMS.map((algorithm) => [algorithm, new IssuerKey(algorithm)]));
const CLAIMS = { user_id: "alice" };
const SECRETS = ["a first secret of the tests, long enough", "a second secret of the tests, long enough"];
const clock = new ManualClock(Date.now());

const keyOf = (algorithm: IssuedAlgorithm) => KEYS.get(algorithm) as IssuerKey;
const verifierOf = (own: OwnKeys) => new JoseTokenVerifier(own, clock);

function hmacToken(secret: string, header: object = {}): string {
  const exp = clock.now() / 1000 + 60;
  const text = `${encoded({ alg: "HS256", ...header })}.${encoded({ ...CLAIMS, exp })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

describe("the algorithms of tokens", () => {
  test.each([...ALGORITHMS])(
    "TOK-4: %s is verified by a public key of its kind, and by no other",
    async (algorithm) => {
      const key = keyOf(algorithm);
      const token = key.token(CLAIMS);
      const { kid: _, alg: __, ...bare } = key.jwk;
      for (const jwk of [key.jwk, bare])
        expect((await verifierOf({ publicKeys: [jwk] }).verify(token)).userId).toBe("alice");
      for (const other of ALGORITHMS.filter((one) => one !== algorithm))
        expect(await refusal(verifierOf({ publicKeys: [keyOf(other).jwk] }).verify(token))).toBe(
          "unknown key",
        );
      expect(await refusal(verifierOf({ secrets: SECRETS }).verify(token))).toBe("algorithm not allowed");
    },
  );

  test.each([...ALGORITHMS])(
    "TOK-4: a public key is no secret: HS256 with the key of %s is refused",
    async (algorithm) => {
      const { jwk, pem } = keyOf(algorithm);
      for (const secret of [pem, pem.trim(), JSON.stringify(jwk), String(jwk.n ?? jwk.x)])
        for (const own of [{ publicKeys: [jwk] }, { publicKeys: [jwk], secrets: SECRETS }]) {
          const reason = await refusal(verifierOf(own).verify(hmacToken(secret)));
          expect(reason).toBe("secrets" in own ? "bad signature" : "algorithm not allowed");
          const named = hmacToken(secret, { alg: algorithm });
          expect(await refusal(verifierOf(own).verify(named))).toBe("unknown key");
        }
    },
  );

  test.each([
    "none",
    "None",
    "HS384",
    "RS384",
    "RS512",
    "PS512",
    "ES384",
    "ES256K",
    "dir",
    "RSA-OAEP",
    "",
    "constructor",
  ])("TOK-4: %j is refused, whatever keys there are", async (alg) => {
    const own = { secrets: SECRETS, publicKeys: ALGORITHMS.map((one) => keyOf(one).jwk) };
    for (const algorithm of ALGORITHMS) {
      const token = keyOf(algorithm).token(CLAIMS, { alg });
      expect(await refusal(verifierOf(own).verify(token))).toBe("algorithm not allowed");
      expect(await refusal(verifierOf(own).verify(`${token.slice(0, token.lastIndexOf("."))}.`))).toBe(
        "algorithm not allowed",
      );
    }
  });

  test("TOK-4: a key that says its algorithm verifies no other, and a key for encryption none", async () => {
    const rsa = keyOf("RS256");
    const key = new IssuerKey("PS256");
    const ofBoth = { ...key.jwk, alg: undefined };
    expect((await verifierOf({ publicKeys: [ofBoth] }).verify(key.token(CLAIMS))).userId).toBe("alice");
    for (const change of [{ alg: "PS256" }, { alg: "RSA-OAEP" }, { use: "enc" }, { key_ops: ["encrypt"] }]) {
      const own = { publicKeys: [{ ...rsa.jwk, ...change }] };
      expect(await refusal(verifierOf(own).verify(rsa.token(CLAIMS)))).toMatch(/unknown key|not allowed/);
    }
  });

  test("TOK-4: keys that are too short, symmetric, of another curve or malformed are left out, and the others count", async () => {
    const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
    const curve = generateKeyPairSync("ec", { namedCurve: "secp384r1" }).publicKey.export({ format: "jwk" });
    const good = keyOf("ES256");
    const bad = [
      short,
      curve,
      { kty: "oct", k: "AAAA" },
      { kty: "RSA" },
      { kty: "EC", crv: "P-256", x: 1 },
      null,
      7,
      "x",
    ];
    const own = { publicKeys: [...bad, good.jwk] };
    expect((await verifierOf(own).verify(good.token(CLAIMS))).userId).toBe("alice");
    const forged = hmacToken(Buffer.from("AAAA", "base64url").toString());
    expect(await refusal(verifierOf({ publicKeys: [...bad] }).verify(forged))).toBe("algorithm not allowed");
  });

  test.each(["jwk", "jku", "x5u", "x5c"])(
    "TOK-5: a key that the token itself names by %s is never used",
    async (name) => {
      const [own, foreign] = [keyOf("ES256"), new IssuerKey("ES256")];
      const values = {
        jwk: foreign.jwk,
        jku: "http://127.0.0.1:1/jwks.json",
        x5u: "http://127.0.0.1:1/cert.pem",
        x5c: [foreign.publicKey.export({ type: "spki", format: "der" }).toString("base64")],
      };
      const token = foreign.token(CLAIMS, { [name]: values[name as keyof typeof values] });
      expect(await refusal(verifierOf({ publicKeys: [own.jwk] }).verify(token))).toBe("unknown key");
    },
  );

  test("TOK-8: several secrets verify, each at its turn, and a secret that was taken away no more", async () => {
    const [old = "", young = ""] = SECRETS;
    const verifier = verifierOf({ secrets: SECRETS });
    for (const secret of SECRETS) await verifier.verify(hmacToken(secret));
    verifier.replaceKeys({ secrets: [young] });
    await verifier.verify(hmacToken(young));
    expect(await refusal(verifier.verify(hmacToken(old)))).toBe("bad signature");
  });
});

describe("the issuer and the audience of a token", () => {
  const key = keyOf("ES256");
  const verify = (claims: object, rules: { issuers?: string[]; audiences?: string[] }) =>
    new JoseTokenVerifier({ publicKeys: [key.jwk], rules: { ...ORDINARY_CLAIMS, ...rules } }, clock).verify(
      key.token({ ...CLAIMS, ...claims }),
    );

  test.each([
    {},
    { iss: null },
    { iss: "https://a.example" },
    { iss: "https://a.example/ " },
    { iss: ["https://a.example/"] },
    { iss: 7 },
  ])("TOK-5: %j is refused if another issuer is configured", async (claims) => {
    expect(await refusal(verify(claims, { issuers: ["https://a.example/"] }))).toBe("wrong issuer");
    await verify(claims, {});
  });

  test.each([
    {},
    { aud: null },
    { aud: "other" },
    { aud: [] },
    { aud: ["other"] },
    { aud: { telltale: true } },
    { aud: "telltale " },
  ])("TOK-5: %j is refused if another audience is configured", async (claims) => {
    expect(await refusal(verify(claims, { audiences: ["telltale"] }))).toBe("wrong audience");
    await verify(claims, {});
  });

  test("TOK-5: one of several suffices, and an audience among others", async () => {
    const rules = { issuers: ["https://a.example", "https://b.example"], audiences: ["telltale", "api"] };
    await verify({ iss: "https://b.example", aud: "api" }, rules);
    await verify({ iss: "https://a.example", aud: ["other", "telltale"] }, rules);
  });
});
