import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../../src/gateway/config/config.ts";
import type { RedisTarget } from "../../../../src/gateway/config/redis-target.ts";
import { parseRedisUrl } from "../../../../src/gateway/config/redis-url.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();
const PLACE = { db: 0, username: undefined, password: undefined, verifies: undefined };
const PLAIN = { ...PLACE, port: 6379 };
const TLS = { ...PLAIN, verifies: true };

/** The target of these settings, with the notes, or the faults. */
function load(env: Record<string, string>, readFile = () => "") {
  const loaded = loadConfig({ JWT_SECRET_KEY: KEY, ...env }, readFile);
  if (loaded.ok) return { target: loaded.config.broker as RedisTarget, notes: loaded.notes.join("\n") };
  return { faults: loaded.faults.map(({ name, message }) => `${name}: ${message}`).join("\n") };
}

describe("REDIS_URL", () => {
  test.each([
    ["redis://a", { ...PLAIN, host: "a" }],
    ["REDIS://a:7000/3", { ...PLAIN, host: "a", port: 7000, db: 3 }],
    ["redis://a?db=3", { ...PLAIN, host: "a", db: 3 }],
    ["redis://[::1]:7000/15", { ...PLAIN, host: "::1", port: 7000, db: 15 }],
    ["redis://bob@a", { ...PLAIN, host: "a", username: "bob" }],
    ["redis://:p:w@a", { ...PLAIN, host: "a", password: "p:w" }],
    ["redis://al%40ice:%23%2F%3F%25@a", { ...PLAIN, host: "a", username: "al@ice", password: "#/?%" }],
    ["rediss://a", { ...TLS, host: "a" }],
    ["rediss://:pw@a:6380/1", { ...TLS, host: "a", port: 6380, db: 1, password: "pw" }],
    ["rediss://a/0?ssl_cert_reqs=required", { ...TLS, host: "a" }],
    ["rediss://a?ssl_cert_reqs=CERT_REQUIRED", { ...TLS, host: "a" }],
    ["rediss://a/?ssl_cert_reqs=optional", { ...TLS, host: "a" }],
    ["rediss://a?ssl_cert_reqs=none", { ...TLS, host: "a", verifies: false }],
    ["rediss://a/2?ssl_cert_reqs=CERT_NONE", { ...TLS, host: "a", db: 2, verifies: false }],
    [
      "redis+sentinel://a/main",
      { ...PLACE, sentinels: { name: "main", servers: [{ host: "a", port: 26379 }] } },
    ],
    [
      "REDISS+SENTINEL://bob:p%40w@a:1,[::1]:2/my.main-1/3?ssl_cert_reqs=none",
      {
        ...{ ...PLACE, db: 3, username: "bob", password: "p@w", verifies: false },
        sentinels: {
          name: "my.main-1",
          servers: [
            { host: "a", port: 1 },
            { host: "::1", port: 2 },
          ],
        },
      },
    ],
    ["redis+cluster://a", { ...PLACE, cluster: { servers: [{ host: "a", port: 6379 }] } }],
    ["redis+cluster://a/0", { ...PLACE, cluster: { servers: [{ host: "a", port: 6379 }] } }],
    [
      "REDISS+CLUSTER://bob:p%40w@a:1,[::1]:2?ssl_cert_reqs=none",
      {
        ...{ ...PLACE, username: "bob", password: "p@w", verifies: false },
        cluster: {
          servers: [
            { host: "a", port: 1 },
            { host: "::1", port: 2 },
          ],
        },
      },
    ],
  ])("%s is read", (url, parts) => {
    expect(parseRedisUrl(url)).toEqual(parts);
  });

  test.each([
    ["redis", "must be redis://"],
    ["http://redis", "must be redis://"],
    ["redis://", "must be redis://"],
    ["redis:///0", "must be redis://"],
    ["redis://redis:70000", "must be redis://"],
    ["redis://redis:0", "must be redis://"],
    ["redis://redis/one", "the database is a number"],
    ["redis://redis/-1", "the database is a number"],
    ["redis://redis/0/1", "the database is a number"],
    ["redis://redis/0?db=1", "named once"],
    ["redis://a:1,b:2", "must be redis://"],
    ["redis+sentinel://a,b", "host[:port]]/name"],
    ["redis+sentinel://a,,b/main", "must be redis://"],
    ["redis+sentinel://a/main/x", "the database is a number"],
    ["redis+sentinel://a/s3 cret", "must be redis://"],
    ["redis+cluster://a,,b", "must be redis://"],
    ["redis+cluster://a,b/main", "the database is a number"],
    ["redis+cluster://a,b/3", "names database 3, and a Redis Cluster has only database 0"],
    ["redis+cluster://a?db=1", "names database 1, and a Redis Cluster has only database 0"],
    ["redis://redis#1", "%23"],
    ["redis://:s3#cret@redis", "a # in user or password is written %23"],
    ["redis://:s3@cret@redis", "a @ in them is written %40"],
    ["redis://:s3/cret@redis", "a / in them is written %2F"],
    ["redis://:s3?cret@redis", "a ? in them is written %3F"],
    ["redis://:s3%cret@redis", "a % in them is written %25"],
    ["redis://redis?ssl_cert_reqs=none", "needs rediss://"],
    ["rediss://redis?ssl_cert_reqs=never", "required, optional or none"],
    ["rediss://redis?ssl_ca_certs=/s3cret.pem", "REDIS_CA_FILE"],
  ])("%s is refused, with words that hold nothing of it", (url, words) => {
    const fault = parseRedisUrl(url);
    expect(fault).toBeString();
    expect(fault).toContain(words);
    expect(fault).not.toMatch(/s3|cret|never/);
    expect(load({ REDIS_URL: url }).faults).toStartWith("REDIS_URL: ");
  });
});

test("a Cluster is where the settings say", () => {
  const { target } = load({ REDIS_URL: "rediss+cluster://a,b:7000", REDIS_PASSWORD: "pw" });
  expect(target).toMatchObject({
    cluster: {
      servers: [
        { host: "a", port: 6379 },
        { host: "b", port: 7000 },
      ],
    },
    ...{ db: 0, password: "pw", tls: { verifies: true } },
  });
});

test("the password of sentinels is a setting of its own, which only they use", () => {
  const REDIS_SENTINEL_PASSWORD = "theirs";
  expect(load({ REDIS_URL: "redis+sentinel://a/main", REDIS_SENTINEL_PASSWORD }).target).toMatchObject({
    sentinels: { name: "main", password: "theirs" },
    password: undefined,
  });
  const { target, notes } = load({ REDIS_URL: "redis://a", REDIS_SENTINEL_PASSWORD });
  expect(target).not.toHaveProperty("sentinels");
  expect(notes).toContain("REDIS_SENTINEL_PASSWORD is not used: REDIS_URL names no sentinels");
});

describe("OPS-4: a password of Redis in a file", () => {
  test.each([
    [{ REDIS_URL: "redis://gateway@a", REDIS_PASSWORD_FILE: "/f" }, "REDIS_PASSWORD_FILE", "old\n", "new\n"],
    [{ REDIS_HOST: "a", REDIS_PASSWORD_FILE: "/f" }, "REDIS_PASSWORD_FILE", "old", "new"],
    [{ REDIS_URL_FILE: "/f" }, "REDIS_URL_FILE", "redis://g:old@a", "redis://g:new@a\n"],
  ] as const)("is read anew each time, if it can be: %j", (env, setting, before, after) => {
    let content: string | undefined = before;
    const { target } = load(env, () => {
      if (content === undefined) throw new Error("no file");
      return content;
    });
    expect(target).toMatchObject({ password: "old", passwordFrom: { setting } });
    content = after;
    expect(target?.passwordFrom?.read?.()).toBe("new");
    for (content of [undefined, "", "\n"]) expect(target?.passwordFrom?.read?.()).toBeUndefined();
  });

  test("is read anew for the sentinels as well", () => {
    let content = "old";
    const env = { REDIS_URL: "redis+sentinel://a/main", REDIS_SENTINEL_PASSWORD_FILE: "/f" };
    const { target } = load(env, () => content);
    content = "new";
    expect(target?.sentinels?.readPassword?.()).toBe("new");
  });
});

describe("certificates of Redis", () => {
  const CA = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----";
  const PROOF = "-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----";

  test("belong to rediss://", () => {
    const all = { REDIS_CA: CA, REDIS_CERT: CA, REDIS_KEY: PROOF };
    expect(load({ REDIS_URL: "rediss://a" }).target).toMatchObject({ tls: { verifies: true } });
    expect(load({ REDIS_URL: "rediss://a", ...all }).target).toMatchObject({
      tls: { verifies: true, ca: CA, cert: CA, key: PROOF },
    });
    expect(load({ REDIS_URL: "redis://a" }).target).not.toHaveProperty("tls");
  });

  test("a gateway that verifies none says so", () => {
    const { target, notes } = load({ REDIS_URL: "rediss://a?ssl_cert_reqs=none" });
    expect(target).toMatchObject({ tls: { verifies: false } });
    expect(notes).toContain("sends its password to any server");
  });

  test.each<[Record<string, string>, string]>([
    [{ REDIS_URL: "redis://a", REDIS_CA: CA }, "REDIS_CA: needs rediss:// in REDIS_URL"],
    [{ REDIS_HOST: "a", REDIS_CERT: CA }, "REDIS_CERT: needs rediss:// in REDIS_URL"],
    [{ REDIS_URL: "rediss://a", REDIS_CA: "/ca.pem" }, "name a file as REDIS_CA_FILE"],
    [{ REDIS_URL: "rediss://a", REDIS_CERT: CA }, "REDIS_KEY: REDIS_CERT and REDIS_KEY go together"],
    [{ REDIS_URL: "rediss://a", REDIS_KEY: PROOF }, "REDIS_CERT: REDIS_CERT and REDIS_KEY go together"],
  ])("%j is refused", (env, words) => {
    expect(load(env).faults).toContain(words);
  });
});
