import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../../src/gateway/config/config.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();
/** The variables that Kubernetes sets in every pod beside a Service named redis. */
const SERVICE = {
  REDIS_PORT: "tcp://10.0.0.5:6379",
  REDIS_SERVICE_HOST: "10.0.0.5",
  REDIS_SERVICE_PORT: "6379",
  REDIS_PORT_6379_TCP: "tcp://10.0.0.5:6379",
  REDIS_PORT_6379_TCP_ADDR: "10.0.0.5",
  REDIS_PORT_6379_TCP_PORT: "6379",
  REDIS_PORT_6379_TCP_PROTO: "tcp",
};

type Env = Record<string, string>;

function load(env: Env) {
  return loadConfig({ JWT_SECRET_KEY: KEY, ...env }, (path) => {
    throw Object.assign(new Error(`no such file: ${path}`), { code: "ENOENT" });
  });
}

const notesOf = (env: Env) => load(env).notes.join("\n");

function faultsOf(env: Env): string {
  const loaded = load(env);
  return loaded.ok ? "" : loaded.faults.map(({ name, message }) => `${name}: ${message}`).join("\n");
}

describe("CFG-3: a setting that is not used is not judged", () => {
  test.each<[string, Env]>([
    ["Kubernetes' REDIS_PORT beside REDIS_URL", { ...SERVICE, REDIS_URL: "redis://redis" }],
    ["Kubernetes' REDIS_PORT beside BROKER=memory", { ...SERVICE, BROKER: "memory" }],
    ["Kubernetes' REDIS_PORT, and no broker named", SERVICE],
    ["a database beside REDIS_URL", { REDIS_URL: "redis://redis/1", REDIS_DB: "main" }],
    [
      "an unreadable password beside one in REDIS_URL",
      { REDIS_URL: "redis://:pw@redis", REDIS_PASSWORD_FILE: "/no" },
    ],
    [
      "a port both ways beside REDIS_URL",
      { REDIS_URL: "redis://a", REDIS_PORT: "1", REDIS_PORT_FILE: "/no" },
    ],
    ["an address of a later release under BROKER=memory", { BROKER: "memory", NATS_URL: "wss://nats" }],
    ["two addresses under BROKER=memory", { BROKER: "memory", REDIS_URL: "redis://a", REDIS_HOST: "b:c" }],
    ["replicas under BROKER=memory", { BROKER: "memory", REDIS_WAIT_REPLICAS: "all" }],
    ["a certificate of Redis under BROKER=memory", { BROKER: "memory", REDIS_CA_FILE: "/ca.pem" }],
    ["NATS under BROKER=redis", { BROKER: "redis", NATS_URL: "nats://nats" }],
    ["DEMO in production", { NODE_ENV: "production", DEMO: "yes" }],
    ["an unreadable DEMO in production", { NODE_ENV: "production", DEMO_FILE: "/no" }],
  ])("%s", (_, env) => {
    expect(faultsOf(env)).toBe("");
  });

  test.each<[string, Env]>([
    ["REDIS_PORT", { REDIS_PORT: "7000", REDIS_URL: "redis://redis" }],
    ["REDIS_URL", { REDIS_URL: "redis://redis", BROKER: "memory" }],
    ["REDIS_WAIT_REPLICAS", { REDIS_WAIT_REPLICAS: "1" }],
    ["REDIS_CA", { BROKER: "memory", REDIS_CA_FILE: "/ca.pem" }],
    ["REDIS_CA", { REDIS_CA_FILE: "/ca.pem" }],
    ["REDIS_CA", { REDIS_URL: "rediss://a?ssl_cert_reqs=none", REDIS_CA_FILE: "/ca.pem" }],
    ["NATS_URL", { BROKER: "memory", NATS_URL: "nats://nats" }],
    ["NATS_CREDS", { BROKER: "memory", NATS_CREDS: "x" }],
    ["REDIS_PORT", { NATS_URL: "nats://nats", REDIS_PORT: "7000" }],
    ["REDIS_URL", { BROKER: "nats", NATS_URL: "nats://nats", REDIS_URL: "x" }],
    ["DEMO", { NODE_ENV: "production", DEMO: "on" }],
  ])("%s: a note says that it is not used", (name, env) => {
    expect(notesOf(env)).toContain(`${name} is not used`);
  });

  test("no note tells of a variable of Kubernetes, nor of a demo that is off anyway", () => {
    expect(load({ ...SERVICE, REDIS_URL: "redis://redis" }).notes).toEqual([]);
    expect(load(SERVICE).notes).toEqual([]);
    expect(notesOf({ NODE_ENV: "production", DEMO: "off" })).not.toContain("DEMO");
  });

  test("a used setting is judged, and the fault of Kubernetes' REDIS_PORT says how to get rid of it", () => {
    for (const used of [{ REDIS_HOST: "redis" }, { BROKER: "redis" }]) {
      const said = faultsOf({ ...SERVICE, ...used });
      expect(said).toStartWith("REDIS_PORT: must be a whole number from 1 to 65535");
      expect(said).toContain("enableServiceLinks: false");
      expect(said).not.toContain("10.0.0.5");
    }
    expect(faultsOf({ BROKER: "redis", REDIS_PORT: "0" })).not.toContain("enableServiceLinks");
  });

  test.each<[string, Env]>([
    ["REDIS_PORT", { BROKER: "redis", REDIS_PORT: "0" }],
    ["REDIS_DB", { REDIS_HOST: "redis", REDIS_DB: "-1" }],
    ["REDIS_PASSWORD_FILE", { REDIS_URL: "redis://redis", REDIS_PASSWORD_FILE: "/no" }],
    ["REDIS_CA_FILE", { REDIS_HOST: "redis", REDIS_CA_FILE: "/ca.pem" }],
    ["NATS_URL", { NATS_URL: "ws://nats" }],
    ["NATS_URL", { BROKER: "nats", NATS_URL: "x" }],
    ["DEMO", { NODE_ENV: "test", DEMO: "yes" }],
  ])("%s is judged if it is used", (name, env) => {
    expect(faultsOf(env)).toContain(`${name}: `);
  });
});

describe("CFG-4: the demo", () => {
  /** Whether it is on, with a key that was made up unless `env` has one. */
  function demoOf(env: Env): boolean {
    const loaded = loadConfig(env, () => "");
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
    return loaded.config.demo;
  }
  const own = { JWT_SECRET_KEY: KEY };

  test.each(["", "127.0.0.1", "127.1.2.3", "127.1", "::1", "0:0:0:0:0:0:0:1", "localhost", "LOCALHOST"])(
    "is on at HOST=%s with a key that was made up, and off with one of one's own",
    (host) => {
      expect(demoOf({ HOST: host })).toBe(true);
      expect(demoOf({ HOST: host, ...own })).toBe(false);
    },
  );

  test.each([
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "::2",
    "example.com",
    "localhost.example.com",
    "127.0.0.1.nip.io",
    "fe80::1%eth0",
  ])("is off at HOST=%s, whatever the key", (host) => {
    expect(demoOf({ HOST: host })).toBe(false);
    expect(demoOf({ HOST: host, ...own })).toBe(false);
  });

  test("is as DEMO says in development, and a note warns if other machines may reach it", () => {
    expect(demoOf({ DEMO: "off" })).toBe(false);
    expect(demoOf({ DEMO: "on", NODE_ENV: "test", ...own })).toBe(true);
    expect(demoOf({ DEMO: "on", HOST: "0.0.0.0" })).toBe(true);
    expect(notesOf({ DEMO: "on" })).toContain("whoever reaches this gateway gets a token");
    expect(loadConfig({ DEMO: "on" }, () => "").notes.join()).not.toContain("DEMO");
  });

  test("is off in production, whatever DEMO says", () => {
    for (const demo of ["", "on", "off"])
      expect(demoOf({ NODE_ENV: "production", DEMO: demo, ...own })).toBe(false);
  });
});

describe("CFG-5: the start warns", () => {
  test("about the memory broker in production, and about nothing in development or on Redis", () => {
    const said = notesOf({ NODE_ENV: "production" });
    for (const words of ["one gateway only", "nothing survives a restart", "PUBLISH"])
      expect(said).toContain(words);
    expect(notesOf({ NODE_ENV: "production", BROKER: "memory" })).toBe(said);
    expect(load({}).notes).toEqual([]);
    expect(load({ NODE_ENV: "production", REDIS_URL: "redis://redis" }).notes).toEqual([]);
  });

  test("that cookies do not count if every page may connect", () => {
    expect(notesOf({ ALLOWED_ORIGINS: "*" })).toContain("cookies are not looked at");
    expect(load({ ALLOWED_ORIGINS: "https://app.example" }).notes).toEqual([]);
  });

  test("also if it fails, because a misspelt name is often the missing one", () => {
    const loaded = loadConfig({ NODE_ENV: "production", JWT_SECRET: KEY }, () => "");
    expect(loaded.ok).toBe(false);
    expect(loaded.notes.join()).toContain("Is JWT_SECRET_KEY meant?");
  });
});
