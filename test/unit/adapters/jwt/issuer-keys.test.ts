import { afterEach, describe, expect, test } from "bun:test";
import { COOLDOWN_MS, IssuerKeys } from "../../../../src/adapters/jwt/issuer-keys.ts";
import { JoseTokenVerifier } from "../../../../src/adapters/jwt/jose-token-verifier.ts";
import { AccessUndecided } from "../../../../src/application/errors.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { refusal } from "../../../../src/testing/contracts/token-verifier-contract.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { IssuerKey, LocalIssuer } from "../../../support/local-issuer.ts";

const MINUTE = 60_000;
const ISSUED: LocalIssuer[] = [];

function issuerOf(...keys: readonly IssuerKey[]): LocalIssuer {
  const issuer = new LocalIssuer(...keys);
  ISSUED.push(issuer);
  return issuer;
}

afterEach(async () => {
  for (const issuer of ISSUED.splice(0)) await issuer.stop();
});

function underTest(...issuers: readonly LocalIssuer[]) {
  const clock = new ManualClock(Date.now());
  const telemetry = new CollectingTelemetry();
  const keys = issuers.map(({ url }) => new IssuerKeys({ url }, clock, telemetry));
  const verifier = new JoseTokenVerifier({ issuers: keys }, clock);
  return { clock, telemetry, keys, verify: (token: string) => verifier.verify(token) };
}

const hour = (clock: ManualClock) => ({ user_id: "alice", exp: clock.now() / 1000 + 3600 });

async function isUndecided(verification: Promise<unknown>): Promise<boolean> {
  return (await verification.catch((error: unknown) => error)) instanceof AccessUndecided;
}

describe("the keys of an issuer", () => {
  test("TOK-6: are read once for all tokens that wait, and not again", async () => {
    const key = new IssuerKey();
    const issuer = issuerOf(key);
    const { clock, verify } = underTest(issuer);
    await Promise.all(Array.from({ length: 20 }, () => verify(key.token(hour(clock)))));
    await verify(key.token(hour(clock)));
    expect(issuer.asked).toBe(1);
  });

  test("TOK-6: are read again at once for a token with a new key, and the old key goes with the set", async () => {
    const [old, young] = [new IssuerKey(), new IssuerKey("RS256")];
    const issuer = issuerOf(old);
    const { clock, verify } = underTest(issuer);
    await verify(old.token(hour(clock)));
    issuer.keys = [young];
    await Promise.all(Array.from({ length: 20 }, () => verify(young.token(hour(clock)))));
    expect(issuer.asked).toBe(2);
    expect(await refusal(verify(old.token(hour(clock))))).toBe("unknown key");
  });

  test("TOK-6: are read at most once in a cooldown, however many keys are made up", async () => {
    const issuer = issuerOf(new IssuerKey());
    const { clock, verify } = underTest(issuer);
    const attack = () =>
      Promise.all(Array.from({ length: 50 }, () => refusal(verify(new IssuerKey().token(hour(clock))))));
    expect(new Set(await attack())).toEqual(new Set(["unknown key"]));
    expect(issuer.asked).toBeLessThanOrEqual(2);
    const before = issuer.asked;
    for (const _ of [1, 2, 3]) await attack();
    expect(issuer.asked).toBe(Math.max(before, 2));
    clock.advance(COOLDOWN_MS);
    for (const _ of [1, 2, 3]) await attack();
    expect(issuer.asked).toBe(3);
  });

  test("TOK-6: are not read again for a forged signature by a key that is there, nor for a token that is no good anyway", async () => {
    const key = new IssuerKey();
    const issuer = issuerOf(key);
    const { clock, verify } = underTest(issuer);
    await verify(key.token(hour(clock)));
    const forger = new IssuerKey("ES256", key.kid);
    expect(await refusal(verify(forger.token(hour(clock))))).toBe("bad signature");
    expect(await refusal(verify(new IssuerKey().token({ exp: 1 })))).toBe("expired");
    expect(issuer.asked).toBe(1);
  });

  test("TOK-6: without a name are tried one after the other, and read again if none fits", async () => {
    const [one, other, later] = [new IssuerKey(), new IssuerKey(), new IssuerKey()];
    const issuer = issuerOf(one, other);
    const { clock, verify } = underTest(issuer);
    await verify(other.token(hour(clock), { kid: undefined }));
    issuer.keys = [later];
    await verify(later.token(hour(clock), { kid: undefined }));
    issuer.answer = () => Response.json({ keys: [{ ...one.jwk, kid: undefined }] });
    clock.advance(COOLDOWN_MS);
    await verify(one.token(hour(clock), { kid: "a name that the set does not have" }));
  });

  test("TOK-7: stay good while the issuer is away, and a token with another key is put off", async () => {
    const [key, young] = [new IssuerKey(), new IssuerKey()];
    const issuer = issuerOf(key);
    const { clock, keys, telemetry, verify } = underTest(issuer);
    await verify(key.token(hour(clock)));
    await issuer.stop();
    expect(await isUndecided(verify(young.token(hour(clock))))).toBe(true);
    expect(await isUndecided(verify(young.token(hour(clock))))).toBe(true);
    clock.advance(45 * MINUTE);
    await verify(key.token(hour(clock)));
    expect(telemetry.logs.map(({ message }) => message)).toEqual(["the keys of an issuer cannot be read"]);
    await keys[0]?.prepare();
    issuer.keys = [key, young];
    issuer.start();
    clock.advance(COOLDOWN_MS);
    await verify(young.token(hour(clock)));
    expect(telemetry.logs.at(-1)).toMatchObject({
      level: "info",
      message: "the keys of an issuer can be read again",
      fields: { after_seconds: 45 * 60 + 10 },
    });
  });

  test("TOK-7: are put off until an issuer that is away at the start answers, and then taken within a second", async () => {
    const key = new IssuerKey();
    const issuer = issuerOf(key);
    await issuer.stop();
    const { clock, verify } = underTest(issuer);
    expect(await isUndecided(verify(key.token(hour(clock))))).toBe(true);
    issuer.start();
    clock.advance(1_000);
    await verify(key.token(hour(clock)));
  });

  test("TOK-6: are read again as they age, so that a key that the issuer took back is soon refused", async () => {
    const [old, young] = [new IssuerKey(), new IssuerKey()];
    const issuer = issuerOf(old);
    const { clock, verify } = underTest(issuer);
    await verify(old.token(hour(clock)));
    issuer.keys = [young];
    clock.advance(10 * MINUTE + 1);
    expect(await refusal(verify(old.token(hour(clock))))).toBe("unknown key");
  });

  test("TOK-5: suffice, if one issuer has answered, while another is away", async () => {
    const key = new IssuerKey();
    const [away, there] = [issuerOf(new IssuerKey()), issuerOf(key)];
    await away.stop();
    const { clock, verify } = underTest(away, there);
    await verify(key.token(hour(clock)));
    expect(await isUndecided(verify(new IssuerKey().token(hour(clock))))).toBe(true);
  });

  const BROKEN: [string, () => Response | Promise<Response>, string][] = [
    ["500", () => new Response("oops", { status: 500 }), "status 500"],
    ["404", () => new Response("", { status: 404 }), "status 404"],
    ["a page", () => new Response("<html>"), "not JSON"],
    ["a list", () => Response.json([1]), "no key set"],
    ["certificates by name", () => Response.json({ a: "-----BEGIN CERTIFICATE-----" }), "no key set"],
    ["no keys", () => Response.json({ keys: [] }), "no key that can be used"],
    [
      "only keys of other kinds",
      () => Response.json({ keys: [null, { kty: "oct", k: "AAAA" }] }),
      "no key that",
    ],
    ["a redirect", () => Response.redirect("http://127.0.0.1:1/", 302), "not followed"],
    ["a huge body", () => new Response(" ".repeat(2 ** 20 + 1)), "longer than"],
    ["an endless body", () => new Response(endless()), "longer than"],
  ];
  test.each(BROKEN)(
    "TOK-7: an issuer that answers %s counts as away, and what it sent before stays good",
    async (_, answer, reason) => {
      const key = new IssuerKey();
      const issuer = issuerOf(key);
      const { clock, keys, telemetry, verify } = underTest(issuer);
      issuer.answer = answer;
      expect(await isUndecided(verify(key.token(hour(clock))))).toBe(true);
      expect(keys[0]?.trouble).toContain(reason);
      expect(telemetry.logs[0]).toMatchObject({ level: "warn", fields: { issuer: issuer.url } });
      issuer.answer = undefined;
      clock.advance(1_000);
      await verify(key.token(hour(clock)));
      issuer.answer = answer;
      expect(await isUndecided(verify(new IssuerKey().token(hour(clock))))).toBe(true);
      await verify(key.token(hour(clock)));
    },
  );

  test("TOK-7: an issuer that hangs makes a token wait for 2.5 s, the next ones not at all, and is given up after 10 s", async () => {
    const key = new IssuerKey();
    const issuer = issuerOf(key);
    issuer.answer = () => new Promise(() => {});
    const { clock, keys, verify } = underTest(issuer);
    const first = isUndecided(verify(key.token(hour(clock))));
    while (issuer.asked === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(2_500);
    expect(await first).toBe(true);
    expect(await isUndecided(verify(key.token(hour(clock))))).toBe(true);
    const over = keys[0]?.prepare();
    clock.advance(7_500);
    await over;
    expect(keys[0]?.trouble).toBe("no answer in time");
    expect(issuer.asked).toBe(1);
  });
});

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(32)) });
}
