import { describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { JoseTokenVerifier } from "../../src/adapters/jwt/jose-token-verifier.ts";
import { signToken } from "../../src/adapters/jwt/token-signer.ts";
import { AccessUndecided } from "../../src/application/errors.ts";
import type { TokenVerifierPort } from "../../src/application/ports/token-verifier-port.ts";
import type { VerifiedToken } from "../../src/domain/access-grant.ts";
import { refusal, tokenVerifierContract } from "../../src/testing/contracts/token-verifier-contract.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const SECRET = "a key of the tests, thirty-two bytes and more";
const clock = new ManualClock();
const claims = { user_id: "alice", exp: clock.now() / 1000 + 3600 };
const verifier = new JoseTokenVerifier(SECRET, clock);

tokenVerifierContract("JoseTokenVerifier", {
  verifier: (given) => new JoseTokenVerifier(SECRET, given),
  sign: async (given) => hmacToken({ alg: "HS256" }, given),
});

/** Judges as its keys do, unless the issuer who has them is away. */
class RemoteVerifier implements TokenVerifierPort {
  readonly #verifier: TokenVerifierPort | undefined;

  constructor(verifier: TokenVerifierPort | undefined) {
    this.#verifier = verifier;
  }

  async verify(token: string): Promise<VerifiedToken> {
    if (this.#verifier === undefined) throw new AccessUndecided("the issuer does not answer");
    return this.#verifier.verify(token);
  }
}

tokenVerifierContract("a verifier whose keys lie elsewhere", {
  verifier: (given) => new RemoteVerifier(new JoseTokenVerifier(SECRET, given)),
  sign: async (given) => hmacToken({ alg: "HS256" }, given),
  undecided: () => new RemoteVerifier(undefined),
});

describe("JoseTokenVerifier", () => {
  test("refuses a token signed with another key", async () => {
    const token = hmacToken({ alg: "HS256" }, claims, `${SECRET}!`);
    expect(await refusal(verifier.verify(token))).toBe("bad signature");
  });

  test.each(["none", "None", "NONE"])("refuses an unsigned token (alg %s)", async (alg) => {
    const unsigned = `${encode({ alg })}.${encode(claims)}.`;
    expect(await refusal(verifier.verify(unsigned))).toBe("algorithm not allowed");
  });

  test("refuses HS256 without its signature", async () => {
    const token = hmacToken({ alg: "HS256" }, claims);
    expect(await refusal(verifier.verify(token.slice(0, token.lastIndexOf(".") + 1)))).toBe("bad signature");
  });

  test.each([
    ["HS384", "sha384"],
    ["HS512", "sha512"],
  ])("refuses %s though the key is right", async (alg, hash) => {
    expect(await refusal(verifier.verify(hmacToken({ alg }, claims, SECRET, hash)))).toBe(
      "algorithm not allowed",
    );
  });

  test("refuses RS256, and a public key used as if it were the HMAC key does not help", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const text = `${encode({ alg: "RS256" })}.${encode(claims)}`;
    const token = `${text}.${signWith("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
    expect(await refusal(verifier.verify(token))).toBe("algorithm not allowed");

    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    // A verifier whose secret is a public PEM must not take a token that names RS256 but carries an HMAC.
    const confused = hmacToken({ alg: "RS256" }, claims, pem);
    expect(await refusal(new JoseTokenVerifier(pem, clock).verify(confused))).toBe("algorithm not allowed");
  });

  test("refuses a header that brings its own key", async () => {
    const own = "the key of somebody else, 32 bytes and more";
    const header = { alg: "HS256", jwk: { kty: "oct", k: Buffer.from(own).toString("base64url") } };
    expect(await refusal(verifier.verify(hmacToken(header, claims, own)))).toBe("bad signature");
  });

  test("refuses a token that demands an extension it does not know", async () => {
    const header = { alg: "HS256", crit: ["x"], x: 1 };
    expect(await refusal(verifier.verify(hmacToken(header, claims)))).toBe("malformed");
  });

  test("refuses a payload that is signed unencoded, is no text or is no object", async () => {
    const unencoded = { alg: "HS256", crit: ["b64"], b64: false };
    expect(await refusal(verifier.verify(hmacToken(unencoded, claims)))).toBe("malformed");
    for (const payload of ["[]", "null", "7", '"text"', "{", "", Buffer.from([0x7b, 0xff, 0x7d])]) {
      const text = `${encode({ alg: "HS256" })}.${Buffer.from(payload).toString("base64url")}`;
      const signature = createHmac("sha256", SECRET).update(text).digest("base64url");
      expect(await refusal(verifier.verify(`${text}.${signature}`))).toBe("malformed");
    }
  });

  test("takes a token with a key of umlauts, counted in UTF-8 like every other library does", async () => {
    const key = "ä".repeat(16);
    const token = hmacToken({ alg: "HS256" }, claims, key);
    expect((await new JoseTokenVerifier(key, clock).verify(token)).userId).toBe("alice");
  });
});

describe("signToken()", () => {
  test("signs what the verifier reads back", async () => {
    const analyses = ["0f8fad5b-d9cb-469f-a165-70867728950e"];
    const request = { user: "alice", analyses, scopes: ["analysis:publish" as const], expiresInSeconds: 60 };
    expect(await verifier.verify(await signToken(SECRET, request, clock.now()))).toEqual({
      userId: "alice",
      scopes: new Set(["analysis:publish"]),
      analyses: new Set(analyses),
      expiresAt: clock.now() + 60_000,
      unreadable: {},
    });
  });

  test("TOK-9: writes the claims where the rules of the gateway look for them", async () => {
    const rules = {
      issuers: ["https://a.example", "b"],
      audiences: ["telltale"],
      user: [["https://a.example/user"], ["sub"]],
      analyses: [["telltale", "analyses"]],
      scope: [["telltale", "roles"]],
      scopePrefixes: [],
    };
    const request = {
      user: "alice",
      analyses: "*" as const,
      scopes: ["analysis:publish" as const],
      expiresInSeconds: 60,
    };
    const token = await signToken(SECRET, request, clock.now(), rules);
    expect(await new JoseTokenVerifier({ secrets: [SECRET], rules }, clock).verify(token)).toMatchObject({
      userId: "alice",
      analyses: "*",
      scopes: new Set(["analysis:publish"]),
    });
    const [, payload = ""] = token.split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
      iss: "https://a.example",
      aud: "telltale",
      telltale: { analyses: "*", roles: "analysis:publish" },
    });
  });

  test("leaves out the claims that were not asked for", async () => {
    const token = await signToken(SECRET, { scopes: [], expiresInSeconds: 1 }, clock.now());
    expect(await verifier.verify(token)).toMatchObject({ userId: undefined, analyses: undefined });
    const [, payload] = token.split(".");
    expect(Object.keys(JSON.parse(Buffer.from(payload ?? "", "base64url").toString()))).toEqual([
      "iat",
      "exp",
    ]);
  });
});

function hmacToken(header: object, payload: object, key = SECRET, hash = "sha256"): string {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${createHmac(hash, key).update(text).digest("base64url")}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
