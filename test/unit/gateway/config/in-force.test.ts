import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../../src/gateway/config/config.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();
const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/** Name, value and source of each setting in force. */
function inForce(env: Record<string, string>, files: Record<string, string> = {}) {
  const loaded = loadConfig(env, (path) => files[path] ?? "");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return new Map(loaded.inForce.map(({ name, ...rest }) => [name, rest]));
}

describe("OPS-16: the settings in force", () => {
  test("have the value of the environment, of a file, or the default, and say which", () => {
    const found = inForce({ PORT: "81", HISTORY_SIZE_FILE: "/size" }, { "/size": "50\n" });
    expect(found.get("PORT")).toEqual({ value: "81", source: "environment" });
    expect(found.get("HISTORY_SIZE")).toEqual({ value: "50", source: "file", file: "/size" });
    expect(found.get("DRAIN_SECONDS")).toEqual({ value: "10", source: "default" });
  });

  test.each([
    [{ REDIS_HOST: "redis" }, "BROKER", "redis"],
    [{ NATS_URL: "nats://nats" }, "BROKER", "nats"],
    [{}, "DEMO", "on"],
    [{ HOST: "0.0.0.0" }, "DEMO", "off"],
    [{ NODE_ENV: "production", JWT_SECRET_KEY: KEY }, "DEMO", "off"],
    [{ NODE_ENV: "production", JWT_SECRET_KEY: KEY }, "WATCH_DEFAULT", "deny"],
    [{ HEARTBEAT_TIMEOUT_SECONDS: "9" }, "HEARTBEAT_INTERVAL_SECONDS", "4.5"],
    [{ HEARTBEAT_INTERVAL_SECONDS: "60" }, "HEARTBEAT_TIMEOUT_SECONDS", "120"],
  ] as const)("%j decide that %s is %s by default", (env, name, value) => {
    expect(inForce(env).get(name)).toEqual({ value, source: "default" });
  });

  test("say of one that is set without effect that it is unused, and leave out those of another broker", () => {
    const found = inForce({
      BROKER: "memory",
      REDIS_URL: "redis://redis",
      NODE_ENV: "production",
      DEMO: "on",
      JWT_SECRET_KEY: KEY,
    });
    expect(found.get("REDIS_URL")).toEqual({ value: null, source: "unused" });
    expect(found.get("DEMO")).toEqual({ value: null, source: "unused" });
    expect([...found.keys()].filter((name) => /^(?:REDIS|NATS)_/.test(name))).toEqual(["REDIS_URL"]);
  });

  test.each([
    ["redis://:pw@redis:6379/1", "redis://:(hidden)@redis:6379/1"],
    ["redis://gateway:pw@redis", "redis://gateway:(hidden)@redis"],
    ["rediss://gateway:p%40w@redis?ssl_cert_reqs=none", "rediss://gateway:(hidden)@redis?ssl_cert_reqs=none"],
    ["rediss://gateway@redis", "rediss://gateway@redis"],
    ["redis+cluster://gateway@a,b", "redis+cluster://gateway@a,b"],
    ["redis://redis", "redis://redis"],
  ])("show REDIS_URL=%s as %s", (REDIS_URL, value) => {
    expect(inForce({ REDIS_URL }).get("REDIS_URL")).toEqual({ value, source: "environment" });
  });

  test("hide a token in place of a user", () => {
    const NATS_URL = "nats://a-token@nats:4222";
    expect(inForce({ NATS_URL }).get("NATS_URL")?.value).toBe("nats://(hidden)@nats:4222");
  });

  test.each([
    ["nats://a-token@n1:1,a-token@n2:2,n3", "nats://(hidden)@n1:1,(hidden)@n2:2,n3"],
    ["nats://u:pw@n1,n2,u:pw@n3", "nats://u:(hidden)@n1,n2,u:(hidden)@n3"],
  ])("hide the user of each server: %s is %s", (NATS_URL, value) => {
    expect(inForce({ NATS_URL }).get("NATS_URL")?.value).toBe(value);
  });

  test.each(["./broker.js", "@scope/broker", "/opt/a@b/broker.js"])(
    "show the module %s as it is",
    (module) => {
      expect(inForce({ BROKER: `module:${module}` }).get("BROKER")?.value).toBe(`module:${module}`);
    },
  );

  test("show the first line of a certificate", () => {
    const found = inForce({ NATS_URL: "tls://nats", NATS_CA_FILE: "/ca" }, { "/ca": PEM });
    expect(found.get("NATS_CA")).toMatchObject({ value: "-----BEGIN CERTIFICATE----- …", file: "/ca" });
  });

  test("hide keys and passwords", () => {
    const found = inForce({ REDIS_HOST: "redis", REDIS_PASSWORD: "pw", JWT_SECRET_KEY: KEY });
    expect(found.get("REDIS_PASSWORD")?.value).toBe("(hidden)");
    expect(found.get("JWT_SECRET_KEY")?.value).toBe("(hidden)");
  });
});
