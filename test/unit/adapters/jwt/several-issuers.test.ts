import { afterEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { IssuerKeys } from "../../../../src/adapters/jwt/issuer-keys.ts";
import { JoseTokenVerifier } from "../../../../src/adapters/jwt/jose-token-verifier.ts";
import { importPublicKeys } from "../../../../src/adapters/jwt/public-keys.ts";
import { AccessUndecided } from "../../../../src/application/errors.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { refusal } from "../../../../src/testing/contracts/token-verifier-contract.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { IssuerKey, LocalIssuer } from "../../../support/local-issuer.ts";

const started: LocalIssuer[] = [];
const clock = new ManualClock(Date.now());
const telemetry = new CollectingTelemetry();

afterEach(async () => {
  for (const issuer of started.splice(0)) await issuer.stop();
});

/** Issuers by the name that their tokens have as `iss`, and a verifier that keeps their keys apart. */
function apart(keys: Readonly<Record<string, IssuerKey>>) {
  const issuers = Object.entries(keys).map(([name, key]) => {
    const issuer = new LocalIssuer(key);
    started.push(issuer);
    return { name, issuer };
  });
  const sets = issuers.map(
    ({ name, issuer }) => new IssuerKeys({ url: issuer.url, issuers: [name] }, clock, telemetry),
  );
  return {
    issuers: issuers.map(({ issuer }) => issuer),
    verifier: new JoseTokenVerifier({ issuers: sets }, clock),
  };
}

describe("several issuers that are kept apart", () => {
  const [a, b] = [new IssuerKey("ES256", "same name"), new IssuerKey("ES256", "same name")];

  test("TOK-5: each sign in their own name alone, even if their keys have one name", async () => {
    const { verifier } = apart({ a, b });
    expect((await verifier.verify(a.token({ iss: "a", sub: "alice" }))).userId).toBe("alice");
    expect((await verifier.verify(b.token({ iss: "b", sub: "bob" }))).userId).toBe("bob");
    expect(await refusal(verifier.verify(a.token({ iss: "b", sub: "bob" })))).toBe("bad signature");
    for (const iss of ["c", undefined, null, ["a"]])
      expect(await refusal(verifier.verify(a.token({ iss, sub: "alice" })))).toBe("unknown key");
  });

  test("TOK-7: are not asked for tokens of another one", async () => {
    const { issuers, verifier } = apart({ a, b });
    await verifier.verify(a.token({ iss: "a" }));
    await issuers[1]?.stop();
    await verifier.verify(a.token({ iss: "a" }));
    expect(issuers.map(({ asked }) => asked)).toEqual([1, 0]);
    const away = await verifier.verify(b.token({ iss: "b" })).catch((error: unknown) => error);
    expect(away).toBeInstanceOf(AccessUndecided);
  });
});

test("TOK-5: issuers whose keys have one name are told apart by the signature", async () => {
  const [one, other] = [new IssuerKey("ES256", "1"), new IssuerKey("ES256", "1")];
  const issuers = [one, other].map((key) => new LocalIssuer(key));
  started.push(...issuers);
  const sets = issuers.map(({ url }) => new IssuerKeys({ url }, clock, telemetry));
  const verifier = new JoseTokenVerifier({ issuers: sets }, clock);
  await sets[0]?.prepare();
  await verifier.verify(one.token({ sub: "alice" }));
  await verifier.verify(other.token({ sub: "alice" }));
  expect(await refusal(verifier.verify(new IssuerKey("ES256", "1").token({})))).toBe("bad signature");
  expect(issuers.map(({ asked }) => asked)).toEqual([1, 1]);
});

describe("importPublicKeys()", () => {
  test("leaves out keys of RSA under 2048 bits, and reads no private part", async () => {
    const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const [key, ...others] = await importPublicKeys([short, privateKey.export({ format: "jwk" })]);
    expect(others).toEqual([]);
    expect([...(key?.byAlgorithm.entries() ?? [])].map(([name, { type }]) => [name, type])).toEqual([
      ["ES256", "public"],
    ]);
  });
});
