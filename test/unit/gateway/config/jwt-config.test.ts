import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { loadConfig } from "../../../../src/gateway/config/config.ts";
import { IssuerKey } from "../../../support/local-issuer.ts";

type Env = Readonly<Record<string, string>>;

const ONE = "9c1f3c0b7d52e48a61f7c93e5d08b2467f3a9c51e0d24b68";
const TWO = "kR8mQ2vX5tZ9wB3nL6pD1sF4hJ7gC0yAu4Wq7Ez2Rt";
const RSA = new IssuerKey("RS256");
const EC = new IssuerKey("ES256");
const ED = new IssuerKey("EdDSA");

const load = (env: Env) => loadConfig(env, () => "");

function jwtOf(env: Env) {
  const loaded = load(env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.config.jwt;
}

function faultOf(env: Env): string {
  const loaded = load(env);
  return loaded.ok ? "" : loaded.faults.map(({ name, message }) => `${name}: ${message}`).join("\n");
}

describe("CFG-12: the settings of tokens", () => {
  test.each([`${ONE},${TWO}`, `${ONE}\n${TWO}`, ` ${ONE} ,\n${TWO}\n`, `${ONE}\r\n${TWO}`])(
    "take several secrets, the first for signing: %j",
    (text) => {
      expect(jwtOf({ JWT_SECRET_KEY: text }).secrets).toEqual([ONE, TWO]);
    },
  );

  test("take a secret with a comma for one if a part is short, and warn", () => {
    const text = `${ONE},short`;
    expect(jwtOf({ JWT_SECRET_KEY: text }).secrets).toEqual([text]);
    expect(load({ JWT_SECRET_KEY: text }).notes.join()).toContain("taken for one key");
  });

  test("judge each secret in production", () => {
    expect(faultOf({ NODE_ENV: "production", JWT_SECRET_KEY: `${ONE},${"a".repeat(40)}` })).toContain(
      "JWT_SECRET_KEY: is easy to guess",
    );
  });

  test("refuse a public or private key as a secret, however it is written", () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const texts = [
      RSA.pem,
      RSA.pem.replaceAll("\n", "\\n"),
      RSA.pem.replaceAll(/-----.*-----|\s/g, ""),
      JSON.stringify(RSA.jwk),
      JSON.stringify({ keys: [EC.jwk] }),
      privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    ];
    for (const text of texts)
      expect(faultOf({ JWT_SECRET_KEY: text })).toContain("JWT_SECRET_KEY: is a public or private key");
  });

  test("take public keys of each kind, several at once, also with escaped line breaks or without the lines around", () => {
    const all = [RSA, EC, ED].map(({ pem }) => pem).join("");
    const kinds = (text: string) => jwtOf({ JWT_PUBLIC_KEY: text }).publicKeys.map(({ kty }) => kty);
    expect(kinds(all)).toEqual(["RSA", "EC", "OKP"]);
    expect(kinds(all.replaceAll("\n", "\\n"))).toEqual(["RSA", "EC", "OKP"]);
    expect(kinds(RSA.pem.replaceAll(/-----.*-----|\s/g, ""))).toEqual(["RSA"]);
    expect(kinds(RSA.publicKey.export({ type: "pkcs1", format: "pem" }).toString())).toEqual(["RSA"]);
  });

  test("refuse a public key that verifies nothing here, and a private one by its name", () => {
    const pemOf = (key: { export(options: { type: "spki"; format: "pem" }): string | Buffer }) =>
      key.export({ type: "spki", format: "pem" }).toString();
    const short = pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey);
    const curve = pemOf(generateKeyPairSync("ec", { namedCurve: "secp384r1" }).publicKey);
    for (const text of [
      short,
      curve,
      `${EC.pem}${short}`,
      "hello",
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ])
      expect(faultOf({ JWT_PUBLIC_KEY: text })).toContain("JWT_PUBLIC_KEY: must be public keys in PEM");
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const own = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(faultOf({ JWT_PUBLIC_KEY: own })).toContain("JWT_PUBLIC_KEY: is a private key");
  });

  test.each([
    "http://127.0.0.1:9000/jwks",
    "http://[::1]/jwks",
    "http://localhost/jwks",
    "https://a.example/jwks?x=1",
  ])("take the address %s", (url) => {
    for (const env of [{}, { NODE_ENV: "production" }])
      expect(jwtOf({ ...env, JWT_JWKS_URL: url }).keySets).toEqual([{ url }]);
  });

  test.each([
    ["http://a.example/jwks", "must begin with https://"],
    ["http://10.0.0.1/jwks", "must begin with https://"],
    ["http://localhost.a.example/jwks", "must begin with https://"],
    ["https://user:hunter2@a.example/jwks", "must not hold a user"],
    ["ftp://a.example/jwks", "must be the address of a key set"],
    ["file:///etc/keys", "must be the address of a key set"],
    ["a.example/jwks", "must be the address of a key set"],
    ["https://a.example/jwks,hunter2", "must be the address of a key set"],
    [",", "must name at least one"],
  ])("refuse the address %s", (url, words) => {
    const said = faultOf({ JWT_JWKS_URL: url });
    expect(said).toContain(`JWT_JWKS_URL: ${words}`);
    expect(said).not.toMatch(/hunter2|10\.0/);
  });

  test("pair several addresses with as many issuers, and refuse fewer issuers, but for one", () => {
    const urls = "https://a.example/jwks, https://b.example/jwks";
    const issuers = (text: string) =>
      jwtOf({ JWT_JWKS_URL: urls, JWT_ISSUER: text }).keySets.map((one) => one.issuers);
    expect(issuers("a,b")).toEqual([["a"], ["b"]]);
    expect(issuers("a,b,own")).toEqual([["a"], ["b"]]);
    expect(issuers("a")).toEqual([undefined, undefined]);
    expect(
      jwtOf({ JWT_JWKS_URL: "https://a.example/jwks", JWT_ISSUER: "a,b" }).keySets[0]?.issuers,
    ).toBeUndefined();
    const three = { JWT_JWKS_URL: `${urls},https://c.example/jwks`, JWT_ISSUER: "a,b" };
    expect(faultOf(three)).toContain("there are 3 addresses and 2 issuers");
  });

  test("need no secret in production beside an address or a public key, and make none up", () => {
    for (const env of [{ JWT_JWKS_URL: "https://a.example/jwks" }, { JWT_PUBLIC_KEY: EC.pem }] as Env[])
      for (const mode of [{}, { NODE_ENV: "production" }] as Env[]) {
        expect(jwtOf({ ...env, ...mode })).toMatchObject({ secrets: [], generated: false });
        expect(load({ ...env, ...mode }).notes.join()).not.toContain("made up");
      }
  });

  test("warn of an address without an issuer and an audience, and refuse a demo that could not sign", () => {
    const env = { JWT_JWKS_URL: "https://a.example/jwks" };
    expect(load(env).notes.join()).toContain("JWT_JWKS_URL is set without JWT_ISSUER and JWT_AUDIENCE");
    expect(load({ ...env, JWT_AUDIENCE: "a" }).notes).toEqual([]);
    expect(faultOf({ ...env, DEMO: "on" })).toContain("DEMO: needs JWT_SECRET_KEY");
  });

  test("read the texts before scopes", () => {
    const { rules } = jwtOf({ JWT_SECRET_KEY: ONE, JWT_SCOPE_PREFIX: "telltale/, https://a.example/" });
    expect(rules.scopePrefixes).toEqual(["telltale/", "https://a.example/"]);
    expect(jwtOf({ JWT_SECRET_KEY: ONE }).rules.scopePrefixes).toEqual([]);
  });

  test("read paths of claims, and say how to write a name with slashes", () => {
    const { rules } = jwtOf({
      JWT_SECRET_KEY: ONE,
      JWT_USER_CLAIM: "oid",
      JWT_SCOPE_CLAIM: 'scp,"https://a.example/roles"',
    });
    expect([rules.user, rules.scope, rules.analyses]).toEqual([
      [["oid"]],
      [["scp"], ["https://a.example/roles"]],
      [["analyses"]],
    ]);
    expect(faultOf({ JWT_SCOPE_CLAIM: "https://a.example/roles" })).toContain("is in quotes");
  });
});
