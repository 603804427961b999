import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../examples/video-worker/run/free-port.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { snippetOf } from "../support/documents.ts";
import { type GatewayProcess, startGateway } from "../support/gateway-process.ts";
import { IssuerKey, LocalIssuer } from "../support/local-issuer.ts";
import { publish, statusUpdate } from "../support/publishing.ts";
import { runtimeCommand } from "../support/runtime-command.ts";
import { signedClaims } from "../support/signed-claims.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

const ISSUER = "https://issuer.example/";
const CLAIMS = { iss: ISSUER, aud: "telltale", sub: "alice", scope: "analysis:publish" };
const NOT_NOW = [1013, 503, 503, 503];
const NO_GOOD = [4001, 401, 401, 401];
const GOOD = [1000, 200, 200, 202];

const ended: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

function issuerOf(...keys: readonly IssuerKey[]): LocalIssuer {
  const issuer = new LocalIssuer(...keys);
  ended.push(() => issuer.stop());
  return issuer;
}

async function gatewayOf(env: Record<string, string>): Promise<GatewayProcess> {
  const gateway = await startGateway({ JWT_SECRET_KEY: "", ...env });
  ended.push(() => gateway.stop());
  return gateway;
}

const trusting = ({ url }: LocalIssuer) => ({
  JWT_JWKS_URL: url,
  JWT_ISSUER: ISSUER,
  JWT_AUDIENCE: "telltale",
});

/** The outcome of a token at each door: WebSocket, SSE, a read, a publish. */
async function outcomes(gateway: GatewayProcess, token: string): Promise<number[]> {
  const id = crypto.randomUUID();
  const headers = { Authorization: `Bearer ${token}` };
  const url = `${gateway.url}/v1/analyses/${id}`;
  const stream = await fetch(`${url}/events`, { headers: { ...headers, Accept: "text/event-stream" } });
  await stream.body?.cancel();
  return [
    await watched(gateway, token),
    stream.status,
    (await fetch(url, { headers })).status,
    (await publish(gateway, id, statusUpdate(), headers)).status,
  ];
}

async function watched(gateway: GatewayProcess, token: string): Promise<number> {
  const socket = new WatchingSocket(watchUrl(gateway.url, crypto.randomUUID(), { token }));
  const isEstablished = await socket.established().then(
    () => true,
    () => false,
  );
  if (isEstablished) await socket.leave();
  return isEstablished ? 1000 : (await socket.closed).code;
}

describe("tokens of an issuer on a real gateway", () => {
  test("TOK-4: are taken at every door, by each algorithm, and those of anybody else are not", async () => {
    const keys = (["RS256", "PS256", "ES256", "EdDSA"] as const).map((algorithm) => new IssuerKey(algorithm));
    const gateway = await gatewayOf({
      ...trusting(issuerOf(...keys)),
      NODE_ENV: "production",
      WATCH_DEFAULT: "allow",
    });
    for (const key of keys)
      expect([key.algorithm, await outcomes(gateway, key.token(CLAIMS))]).toEqual([key.algorithm, GOOD]);
    const [key = new IssuerKey()] = keys;
    const bad = [
      key.token({ ...CLAIMS, iss: "https://other.example/" }),
      key.token({ ...CLAIMS, aud: "other" }),
      key.token({ ...CLAIMS, exp: 1 }),
      key.token(CLAIMS, { alg: "none" }),
      new IssuerKey("RS256", key.kid).token(CLAIMS),
      signedClaims(CLAIMS, key.pem),
    ];
    for (const token of bad) expect(await outcomes(gateway, token)).toEqual(NO_GOOD);
  }, 30_000);

  test("TOK-6: a new key is taken at once, and made-up keys cost the issuer one question in a cooldown", async () => {
    const [old, young] = [new IssuerKey(), new IssuerKey("RS256")];
    const issuer = issuerOf(old);
    const gateway = await gatewayOf(trusting(issuer));
    expect(await outcomes(gateway, old.token(CLAIMS))).toEqual(GOOD);
    issuer.keys = [young];
    expect(await outcomes(gateway, young.token(CLAIMS))).toEqual(GOOD);
    expect(await outcomes(gateway, old.token(CLAIMS))).toEqual(NO_GOOD);
    const before = issuer.asked;
    const attacks = Array.from({ length: 40 }, () => watched(gateway, new IssuerKey().token(CLAIMS)));
    expect(new Set(await Promise.all(attacks))).toEqual(new Set([4001]));
    expect(issuer.asked - before).toBeLessThanOrEqual(1);
    expect(await outcomes(gateway, young.token(CLAIMS))).toEqual(GOOD);
  }, 30_000);

  test("TOK-7: they are put off until an issuer that is away at the start answers, and the gateway is ready meanwhile", async () => {
    const key = new IssuerKey("RS256");
    const issuer = issuerOf(key);
    await issuer.stop();
    const gateway = await gatewayOf(trusting(issuer));
    expect(await outcomes(gateway, key.token(CLAIMS))).toEqual(NOT_NOW);
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(200);
    const answer = await fetch(`${gateway.url}/v1/analyses/${crypto.randomUUID()}`, {
      headers: { Authorization: `Bearer ${key.token(CLAIMS)}` },
    });
    expect([answer.headers.get("Retry-After"), (await answer.json()) as unknown]).toMatchObject([
      "1",
      { code: "access_undecided" },
    ]);
    await eventually("the log says so", async () => gateway.output().includes("cannot be read"));
    issuer.start();
    await eventually("tokens are taken", async () => (await watched(gateway, key.token(CLAIMS))) === 1000);
    await issuer.stop();
    expect(await outcomes(gateway, key.token(CLAIMS))).toEqual(GOOD);
    expect(await watched(gateway, new IssuerKey().token(CLAIMS))).toBe(1013);
    expect(gateway.output().match(/cannot be read/g)?.length).toBe(2);
  }, 30_000);

  test("TOK-7: an issuer that hangs puts tokens off within 3 s", async () => {
    const issuer = issuerOf(new IssuerKey());
    issuer.answer = () => new Promise(() => {});
    const gateway = await gatewayOf(trusting(issuer));
    const since = performance.now();
    expect(await watched(gateway, new IssuerKey().token(CLAIMS))).toBe(1013);
    expect(performance.now() - since).toBeLessThan(4_000);
  }, 30_000);

  test("TOK-6: a connection goes on with a newer token by a newer key", async () => {
    const [old, young] = [new IssuerKey(), new IssuerKey("EdDSA")];
    const issuer = issuerOf(old);
    const gateway = await gatewayOf(trusting(issuer));
    const url = watchUrl(gateway.url, crypto.randomUUID(), { token: old.token(CLAIMS) });
    const socket = new WatchingSocket(url);
    await socket.established();
    issuer.keys = [young];
    socket.send({ type: "authenticate", token: young.token(CLAIMS) });
    await socket.untilType("authenticated");
    await socket.leave();
  }, 30_000);

  test("TOK-7: a newer token that nobody can judge ends its connection with 1013 and a time to come back", async () => {
    const key = new IssuerKey();
    const issuer = issuerOf(key);
    const gateway = await gatewayOf(trusting(issuer));
    const socket = new WatchingSocket(
      watchUrl(gateway.url, crypto.randomUUID(), { token: key.token(CLAIMS) }),
    );
    await socket.established();
    await issuer.stop();
    socket.send({ type: "authenticate", token: new IssuerKey().token(CLAIMS) });
    expect(await socket.closed).toEqual({ code: 1013, reason: "retry_after_ms=1000" });
  }, 30_000);

  test("TOK-5: two issuers are kept apart, and one that is away does not harm the other", async () => {
    const [one, other] = [new IssuerKey(), new IssuerKey()];
    const [here, away] = [issuerOf(one), issuerOf(other)];
    await away.stop();
    const gateway = await gatewayOf({ JWT_JWKS_URL: `${here.url},${away.url}`, JWT_ISSUER: "a,b" });
    const claims = { sub: "alice", scope: "analysis:publish" };
    expect(await outcomes(gateway, one.token({ ...claims, iss: "a" }))).toEqual(GOOD);
    expect(await outcomes(gateway, other.token({ ...claims, iss: "b" }))).toEqual(NOT_NOW);
    expect(await outcomes(gateway, one.token({ ...claims, iss: "c" }))).toEqual(NO_GOOD);
    away.start();
    await eventually(
      "b is there",
      async () => (await watched(gateway, other.token({ ...claims, iss: "b" }))) === 1000,
    );
    expect(await outcomes(gateway, one.token({ ...claims, iss: "b" }))).toEqual(NO_GOOD);
  }, 30_000);
});

describe("telltale check", () => {
  async function check(env: Record<string, string>) {
    const child = Bun.spawn([...runtimeCommand(), "check"], {
      env: { PATH: process.env.PATH ?? "", ...env },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [said, error] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { said, error, code: await child.exited };
  }

  test("TOK-7: reads the keys of an issuer, and says what to do if it cannot", async () => {
    const issuer = issuerOf(new IssuerKey(), new IssuerKey("RS256"));
    const good = await check(trusting(issuer));
    expect(good.code).toBe(0);
    expect(good.said).toContain(`✓ keys of an issuer        2 from ${issuer.url}`);
    issuer.answer = () => new Response("", { status: 404 });
    const bad = await check(trusting(issuer));
    expect(bad.code).toBe(1);
    expect(bad.said).toContain("✗ keys of an issuer        the answer has status 404");
    expect(bad.error).toContain("tokens cannot be verified: keys of an issuer");
  }, 30_000);
});

describe("docs/TOKENS.md", () => {
  test("TOK-4: its issuer and its requests work as they are", async () => {
    const script = snippetOf("docs/TOKENS.md", "Try it", "ts").replace("port: 9000", `port: ${freePort()}`);
    const port = /port: (\d+)/.exec(script)?.[1];
    const folder = mkdtempSync(join(import.meta.dir, "issuer-"));
    ended.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "issuer.ts"), script);
    const issuer = Bun.spawn([process.execPath, "run", join(folder, "issuer.ts")], { stdout: "pipe" });
    ended.push(async () => {
      issuer.kill();
      await issuer.exited;
    });
    const { value } = await issuer.stdout.getReader().read();
    const TOKEN = new TextDecoder().decode(value).trim();
    const gateway = await gatewayOf({
      JWT_JWKS_URL: `http://127.0.0.1:${port}/jwks.json`,
      JWT_ISSUER: "http://127.0.0.1:9000",
      JWT_AUDIENCE: "telltale",
    });
    const requests = snippetOf("docs/TOKENS.md", "Try it", "sh").replaceAll(
      "http://localhost:8000",
      gateway.url,
    );
    const said = async (token: string) => {
      const shell = Bun.spawn(["sh", "-c", requests], {
        env: { PATH: process.env.PATH ?? "", TOKEN: token },
      });
      return new Response(shell.stdout).text();
    };
    expect(await said(TOKEN)).toMatch(/"duplicate":false.*"status":"running","progress":0.5/);
    expect(await said(`${TOKEN.slice(0, -6)}AAAAAA`)).toMatch(
      /"detail":"bad signature".*"detail":"bad signature"/,
    );
  }, 30_000);
});

describe("key files of a real gateway", () => {
  const fresh = () => crypto.getRandomValues(new Uint8Array(32)).toHex();

  function fileOf(text: string) {
    const folder = mkdtempSync(join(tmpdir(), "telltale-keys-"));
    ended.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "key");
    const write = (content: string) => {
      writeFileSync(`${path}.new`, content);
      renameSync(`${path}.new`, path);
    };
    write(text);
    return { path, write, remove: () => rmSync(path) };
  }

  test("TOK-8: a secret is replaced while the gateway runs, and a file that is empty or gone changes nothing", async () => {
    const [old, young] = [fresh(), fresh()];
    const file = fileOf(`${old}\n`);
    const gateway = await gatewayOf({ JWT_SECRET_KEY_FILE: file.path, LOG_LEVEL: "info" });
    const opens = (secret: string) => watched(gateway, signedClaims({ sub: "alice" }, secret));
    expect([await opens(old), await opens(young)]).toEqual([1000, 4001]);
    file.write(`${young}\n${old}\n`);
    await eventually("both are taken", async () => (await opens(young)) === 1000);
    expect(await opens(old)).toBe(1000);
    file.write("");
    await eventually("the log warns", async () => gateway.output().includes("stay as they are"));
    file.remove();
    file.write(young);
    await eventually("the old one is refused", async () => (await opens(old)) === 4001);
    expect(await opens(young)).toBe(1000);
    expect(gateway.output().match(/stay as they are/g)?.length).toBe(1);
    for (const secret of [old, young]) expect(gateway.output()).not.toContain(secret);
  }, 60_000);

  test("TOK-8: a public key is replaced while the gateway runs, and its text is no secret", async () => {
    const [old, young] = [new IssuerKey("RS256"), new IssuerKey("ES256")];
    const file = fileOf(old.pem);
    const gateway = await gatewayOf({ JWT_PUBLIC_KEY_FILE: file.path });
    const opens = (token: string) => watched(gateway, token);
    expect([await opens(old.token(CLAIMS)), await opens(young.token(CLAIMS))]).toEqual([1000, 4001]);
    expect(await opens(signedClaims(CLAIMS, old.pem))).toBe(4001);
    file.write(young.pem);
    await eventually("the new one is taken", async () => (await opens(young.token(CLAIMS))) === 1000);
    expect(await opens(old.token(CLAIMS))).toBe(4001);
  }, 60_000);
});
