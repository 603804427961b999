import { describe, expect, test } from "bun:test";
import { ORDINARY_CLAIMS } from "../../../../src/domain/claim-rules.ts";
import { type Config, loadConfig } from "../../../../src/gateway/config/config.ts";
import { CONFIG_VARIABLES } from "../../../../src/gateway/config/variables.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();
const NO_FILES = (path: string): string => {
  throw Object.assign(new Error(`no such file: ${path}`), { code: "ENOENT" });
};

function load(env: Record<string, string | undefined>, files: Record<string, string> = {}) {
  return loadConfig(env, (path) => files[path] ?? NO_FILES(path));
}

function configOf(env: Record<string, string | undefined>, files: Record<string, string> = {}): Config {
  const loaded = load({ JWT_SECRET_KEY: KEY, ...env }, files);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.config;
}

function faultsOf(env: Record<string, string | undefined>, files: Record<string, string> = {}) {
  const loaded = load(env, files);
  return loaded.ok ? [] : loaded.faults.map(({ name }) => name);
}

function messageOf(env: Record<string, string | undefined>, files: Record<string, string> = {}): string {
  const loaded = load(env, files);
  return loaded.ok ? "" : loaded.faults.map(({ name, message }) => `${name}: ${message}`).join("\n");
}

describe("loadConfig() with nothing set", () => {
  test("gives the documented defaults", () => {
    expect(configOf({})).toEqual({
      mode: "development",
      host: "127.0.0.1",
      port: 8000,
      basePath: "",
      broker: { kind: "memory" },
      listen: new Set(["analysis", "user", "system"]),
      jwt: {
        secrets: [KEY],
        generated: false,
        publicKeys: [],
        keySets: [],
        rules: ORDINARY_CLAIMS,
        files: {},
      },
      demo: false,
      allowedOrigins: undefined,
      watchDefault: "allow",
      heartbeatIntervalMs: 15_000,
      heartbeatTimeoutMs: 30_000,
      historySize: 1000,
      historyTtlMs: 86_400_000,
      stages: [
        "initializing",
        "uploading",
        "frame_extraction",
        "feature_extraction",
        "model_inference",
        "post_processing",
        "blockchain_submission",
        "completed",
        "failed",
      ],
      stallAfterMs: 60_000,
      abandonAfterMs: 0,
      drainMs: 10_000,
      maxConnections: 100_000,
      maxConnectionsPerUser: 100,
      maxSubscriptionsPerUser: 5_000,
      messageRate: 100,
      logLevel: "info",
      logFormat: "text",
      metrics: "on",
    });
  });

  test("gives a configuration that cannot be changed", () => {
    const config = configOf({ BROKER: "redis", ALLOWED_ORIGINS: "https://a.example" });
    for (const part of [config, config.broker, config.jwt, config.allowedOrigins]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  test("takes an empty variable for one that is not set", () => {
    const empty = Object.fromEntries(
      CONFIG_VARIABLES.flatMap(({ name }) => [
        [name, ""],
        [`${name}_FILE`, ""],
      ]),
    );
    expect(faultsOf(empty)).toEqual([]);
  });
});

describe("the token key", () => {
  test("is made up in development, another one each time, and a note says so", () => {
    const first = load({});
    const second = load({});
    if (!first.ok || !second.ok) throw new Error("refused");
    expect(first.config.jwt.generated).toBe(true);
    const [secret = "", ...others] = first.config.jwt.secrets;
    expect([secret.length >= 32, others]).toEqual([true, []]);
    expect(second.config.jwt.secrets).not.toContain(secret);
    expect(first.notes.join()).toContain("JWT_SECRET_KEY");
    expect(first.notes.join()).not.toContain(secret);
  });

  test("is required in production", () => {
    expect(faultsOf({ NODE_ENV: "production" })).toEqual(["JWT_SECRET_KEY"]);
  });

  test.each([
    { NODE_ENV: "production" },
    { NODE_ENV: "production", JWT_SECRET_KEY_FILE: "/missing" },
    { JWT_SECRET_KEY_FILE: "/missing" },
    { NODE_ENV: "prod" },
    { PORT: "eighty" },
  ])("CFG-10: no note says that it was made up if the start is refused: %j", (env) => {
    const loaded = load(env);
    expect(loaded.ok).toBe(false);
    expect(loaded.notes.join()).not.toContain("made up");
    expect(load({}).notes.join()).toContain("made up");
  });

  test("is at least 32 bytes long, counted in UTF-8", () => {
    expect(faultsOf({ JWT_SECRET_KEY: "k".repeat(31) })).toEqual(["JWT_SECRET_KEY"]);
    expect(faultsOf({ JWT_SECRET_KEY: "é".repeat(16) })).toEqual([]);
  });

  test.each([
    "at-least-32-bytes-that-the-gateway-has-too",
    "a".repeat(32),
    " ".repeat(32),
    "!ChangeThisMercureHubJWTSecretKey!",
  ])("CFG-2: %p stops production by name, never shown, and is a warning in development", (secret) => {
    const env = { JWT_SECRET_KEY: secret, NODE_ENV: "production" };
    expect(faultsOf(env)).toEqual(["JWT_SECRET_KEY"]);
    expect(messageOf(env)).not.toContain(secret);
    expect(messageOf(env)).toContain("openssl rand");
    const loaded = load({ JWT_SECRET_KEY: secret });
    if (!loaded.ok) throw new Error("refused");
    expect(loaded.notes.join()).toContain("JWT_SECRET_KEY is ");
    expect(loaded.notes.join()).not.toContain(secret);
  });

  test("CFG-2: from a file is judged as well", () => {
    const env = { JWT_SECRET_KEY_FILE: "/run/key", NODE_ENV: "production" };
    expect(faultsOf(env, { "/run/key": `${"ab".repeat(20)}\n` })).toEqual(["JWT_SECRET_KEY_FILE"]);
    expect(faultsOf(env, { "/run/key": `${KEY}\n` })).toEqual([]);
  });
});

describe("NODE_ENV", () => {
  test("production denies watching by default, and WATCH_DEFAULT overrules it", () => {
    const production = { NODE_ENV: "production" };
    expect(configOf(production)).toMatchObject({ mode: "production", watchDefault: "deny" });
    expect(configOf({ ...production, WATCH_DEFAULT: "allow" }).watchDefault).toBe("allow");
  });

  test.each([undefined, "", "development", "test"])("CFG-1: %p is development, without a word", (name) => {
    expect(load({ JWT_SECRET_KEY: KEY, NODE_ENV: name })).toMatchObject({
      config: { mode: "development", watchDefault: "allow" },
      notes: [],
    });
  });

  test.each(["prod", "Production", "PRODUCTION", "production ", "staging", "dev", "live", "0"])(
    "CFG-1: %p is refused by name, never taken for development",
    (name) => {
      expect(faultsOf({ JWT_SECRET_KEY: KEY, NODE_ENV: name })).toEqual(["NODE_ENV"]);
    },
  );
});

describe("numbers", () => {
  test.each([
    ["BASE_PATH", "telltale"],
    ["BASE_PATH", "/tell tale"],
    ["BASE_PATH", "https://a.example/telltale"],
    ["BASE_PATH", "//"],
    ["PORT", "65536"],
    ["PORT", "-1"],
    ["PORT", "80.5"],
    ["PORT", "0x50"],
    ["PORT", "1e3"],
    ["PORT", " 80"],
    ["HEARTBEAT_INTERVAL_SECONDS", "0"],
    ["HEARTBEAT_INTERVAL_SECONDS", "abc"],
    ["HEARTBEAT_TIMEOUT_SECONDS", "Infinity"],
    ["HISTORY_SIZE", "0"],
    ["HISTORY_SIZE", "10.5"],
    ["HISTORY_TTL_SECONDS", "-5"],
    ["STALL_AFTER_SECONDS", "1e9"],
    ["STALL_AFTER_SECONDS", "1000001"],
    ["STALL_AFTER_SECONDS", "0.0001"],
    ["MAX_CONNECTIONS", "none"],
    ["MAX_CONNECTIONS_PER_USER", "0"],
    ["MESSAGE_RATE", "-1"],
  ])("%s=%s is refused by name", (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([name]);
  });

  test("a time may be a fraction of a second, and port 0 is a free one", () => {
    expect(configOf({ PORT: "0", HEARTBEAT_INTERVAL_SECONDS: "0.25", DRAIN_SECONDS: "1.5" })).toMatchObject({
      port: 0,
      heartbeatIntervalMs: 250,
      drainMs: 1500,
    });
  });

  test("the heartbeat timeout exceeds the interval, also if one of them is the default", () => {
    const equal = { HEARTBEAT_INTERVAL_SECONDS: "30", HEARTBEAT_TIMEOUT_SECONDS: "30" };
    expect(faultsOf(equal)).toEqual(["HEARTBEAT_TIMEOUT_SECONDS"]);
    const longer = { HEARTBEAT_INTERVAL_SECONDS: "60", HEARTBEAT_TIMEOUT_SECONDS: "30" };
    expect(faultsOf(longer)).toEqual(["HEARTBEAT_TIMEOUT_SECONDS"]);
    expect(configOf({ HEARTBEAT_INTERVAL_SECONDS: "60" })).toMatchObject({ heartbeatTimeoutMs: 120_000 });
    expect(configOf({ DRAIN_SECONDS: "0" })).toMatchObject({ drainMs: 0 });
    expect(configOf({ HEARTBEAT_TIMEOUT_SECONDS: "2" })).toMatchObject({ heartbeatIntervalMs: 1_000 });
    expect(configOf({ HEARTBEAT_TIMEOUT_SECONDS: "20" })).toMatchObject({ heartbeatIntervalMs: 15_000 });
    expect(faultsOf({ HEARTBEAT_TIMEOUT_SECONDS: "15.001" })).toEqual([]);
  });
});

describe("words", () => {
  test.each([
    ["HOST", "http://example.com"],
    ["HOST", "127.0.0.1:80 "],
    ["HOST", "127.0.0.1:80"],
    ["BROKER", "kafka"],
    ["BROKER", "Redis"],
    ["WATCH_DEFAULT", "yes"],
    ["LOG_LEVEL", "verbose"],
    ["LISTEN", "analysis,jobs"],
    ["LISTEN", "none,user"],
    ["LISTEN", "analysis,,user"],
    ["STAGES", "demux,,mux"],
    ["STAGES", "demux,Mux"],
    ["STAGES", "demux,*"],
    ["STAGES", "demux mux"],
    ["STAGES", "a".repeat(65)],
    ["REDIS_HOST", "redis:6379"],
    ["REDIS_HOST", "127.0.0.1:6379"],
    ["DEMO", "yes"],
    ["DEMO", "ON"],
  ])("%s=%s is refused by name", (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([name]);
  });

  test.each(["0.0.0.0", "::", "::1", "fe80::1%eth0", "gateway.internal", "my_service"])(
    "HOST may be %s",
    (host) => {
      expect(configOf({ HOST: host }).host).toBe(host);
    },
  );

  test("STAGES takes names of a-z, 0-9, _, . and -, or every such name", () => {
    const longest = "a".repeat(64);
    expect(configOf({ STAGES: ` demux, mux-2.h_264,${longest}` }).stages).toEqual([
      "demux",
      "mux-2.h_264",
      longest,
    ]);
    expect(configOf({ STAGES: "*" }).stages).toBe("*");
  });

  test("STAGES without those of the demo's pipeline is noted if the demo is served", () => {
    const notesOf = (env: Record<string, string>) => {
      const loaded = load(env);
      return loaded.ok ? loaded.notes.join() : "";
    };
    expect(notesOf({ DEMO: "on", STAGES: "demux" })).toContain("the demo");
    expect(notesOf({ DEMO: "off", STAGES: "demux" })).not.toContain("the demo");
    expect(notesOf({ DEMO: "on", STAGES: "*" })).not.toContain("the demo");
    expect(notesOf({ DEMO: "on" })).not.toContain("the demo");
  });

  test("LISTEN takes some lanes or none", () => {
    expect(configOf({ LISTEN: "system, analysis,system" }).listen).toEqual(new Set(["analysis", "system"]));
    expect(configOf({ LISTEN: "none" }).listen).toEqual(new Set());
  });
});

describe("the broker", () => {
  const local = {
    kind: "redis",
    waitReplicas: "seen",
    host: "127.0.0.1",
    port: 6379,
    db: 0,
    username: undefined,
    password: undefined,
  };
  const from = (setting: string, password: string) => ({ password, passwordFrom: { setting } });

  test.each([
    [{ BROKER: "redis" }, local],
    [
      { BROKER: "redis", REDIS_PORT: "6380", REDIS_DB: "2" },
      { ...local, port: 6380, db: 2 },
    ],
    [{ REDIS_HOST: "redis" }, { ...local, host: "redis" }],
    [
      { REDIS_HOST: "redis", REDIS_PASSWORD: "s3" },
      { ...local, host: "redis", ...from("REDIS_PASSWORD", "s3") },
    ],
    [{ REDIS_URL: "redis://redis" }, { ...local, host: "redis" }],
    [{ REDIS_URL: "redis://redis/" }, { ...local, host: "redis" }],
    [{ REDIS_URL: "redis://[::1]:7000/15" }, { ...local, host: "::1", port: 7000, db: 15 }],
    [
      { REDIS_URL: "redis://:a%40b@redis:1/0" },
      { ...local, host: "redis", port: 1, ...from("REDIS_URL", "a@b") },
    ],
    [
      { REDIS_URL: "redis://bob:pw@redis" },
      { ...local, host: "redis", username: "bob", ...from("REDIS_URL", "pw") },
    ],
    [
      { REDIS_URL: "redis://redis", REDIS_PASSWORD: "pw" },
      { ...local, host: "redis", ...from("REDIS_PASSWORD", "pw") },
    ],
    [{ BROKER: "memory", REDIS_URL: "redis://redis" }, { kind: "memory" }],
    [{ REDIS_PORT: "6380" }, { kind: "memory" }],
  ])("%j is %j", (env, broker) => {
    expect(configOf(env).broker).toEqual(broker as Config["broker"]);
  });

  test("is named once: not by address and host together", () => {
    expect(faultsOf({ REDIS_URL: "redis://a", REDIS_HOST: "b" })).toEqual(["REDIS_URL"]);
  });

  test("says which companions an address leaves unused", () => {
    const loaded = load({ REDIS_URL: "redis://:pw@a", REDIS_PORT: "7000", REDIS_PASSWORD: "other" });
    if (!loaded.ok) throw new Error("refused");
    expect(loaded.notes.join()).toContain("REDIS_PORT is not used");
    expect(loaded.notes.join()).toContain("REDIS_PASSWORD is not used");
    expect(loaded.notes.join()).not.toContain("other");
  });
});

describe("ALLOWED_ORIGINS", () => {
  test.each([
    ["*", "*"],
    ["https://a.example", ["https://a.example"]],
    ["HTTPS://A.example:443/, http://b.example:8080", ["https://a.example", "http://b.example:8080"]],
    ["https://a.example,https://a.example/", ["https://a.example"]],
    ["capacitor://localhost", ["capacitor://localhost"]],
  ])("%s is taken", (text, origins) => {
    expect(configOf({ ALLOWED_ORIGINS: text }).allowedOrigins).toEqual(origins as string[]);
  });

  test.each([
    "a.example",
    "*,https://a.example",
    "https://*.a.example",
    "https://a.example/page",
    "https://user:pw@a.example",
    "https://a.example:99999",
    "null",
    "https://a.example,",
  ])("%s is refused", (text) => {
    expect(faultsOf({ ALLOWED_ORIGINS: text })).toEqual(["ALLOWED_ORIGINS"]);
  });
});

describe("NAME_FILE", () => {
  test("gives the value without the line break at its end, and without that only", () => {
    const files = { "/run/key": `${KEY}  \n`, "/run/port": "9000\r\n", "/run/pw": "two\n\n" };
    const env = { JWT_SECRET_KEY: undefined, JWT_SECRET_KEY_FILE: "/run/key", PORT_FILE: "/run/port" };
    expect(configOf(env, files)).toMatchObject({
      jwt: { secrets: [`${KEY}  `], generated: false },
      port: 9000,
    });
    expect(configOf({ BROKER: "redis", REDIS_PASSWORD_FILE: "/run/pw" }, files).broker).toMatchObject({
      password: "two\n",
    });
  });

  const ofNats = (name: string) => (/^NATS_(?!URL)/.test(name) ? { NATS_URL: "tls://nats" } : {});

  test.each(CONFIG_VARIABLES.map(({ name }) => name))("works for %s", (name) => {
    const broker = name === "REDIS_URL" ? {} : { REDIS_HOST: "redis" };
    const ofRedis = /^REDIS_(?:CA|CERT|KEY|SENTINEL_PASSWORD)$/.test(name)
      ? { REDIS_URL: "rediss+sentinel://redis/main" }
      : broker;
    const used = /^REDIS_(?!URL|HOST)/.test(name) ? ofRedis : ofNats(name);
    expect(faultsOf({ ...used, [`${name}_FILE`]: `/missing/${name}` })).toEqual([`${name}_FILE`]);
  });

  test("is refused beside the variable itself, when it cannot be read and when it is empty", () => {
    expect(faultsOf({ PORT: "1", PORT_FILE: "/run/port" }, { "/run/port": "1" })).toEqual(["PORT"]);
    expect(faultsOf({ PORT_FILE: "/missing" })).toEqual(["PORT_FILE"]);
    expect(faultsOf({ JWT_SECRET_KEY_FILE: "/run/key" }, { "/run/key": "\n" })).toEqual([
      "JWT_SECRET_KEY_FILE",
    ]);
  });

  test("an unreadable key is one fault in production, and stops development too", () => {
    const env = { JWT_SECRET_KEY_FILE: "/missing" };
    expect(faultsOf(env)).toEqual(["JWT_SECRET_KEY_FILE"]);
    expect(faultsOf({ ...env, NODE_ENV: "production" })).toEqual(["JWT_SECRET_KEY_FILE"]);
  });

  test("names the file's variable when the content is bad", () => {
    expect(faultsOf({ LOG_LEVEL_FILE: "/l" }, { "/l": "loud" })).toEqual(["LOG_LEVEL_FILE"]);
  });
});

describe("replicas to wait for", () => {
  test("are those that were named, 0 included, and else one from when it is seen", () => {
    const waitReplicas = (text: string) => {
      const { broker } = configOf({ BROKER: "redis", REDIS_WAIT_REPLICAS: text });
      return broker.kind === "redis" ? broker.waitReplicas : undefined;
    };
    expect(["", "0", "1", "3"].map(waitReplicas)).toEqual(["seen", 0, 1, 3]);
    for (const bad of ["-1", "one", "1.5", "1001"]) {
      expect(faultsOf({ BROKER: "redis", REDIS_WAIT_REPLICAS: bad })).toEqual(["REDIS_WAIT_REPLICAS"]);
    }
  });
});

describe("the module of a broker", () => {
  test("is named by a path or a package", () => {
    for (const module of ["./mine.ts", "/srv/mine.ts", "@acme/broker"])
      expect(configOf({ BROKER: `module:${module}` }).broker).toEqual({ kind: "module", module });
    expect(faultsOf({ BROKER: "module:" })).toEqual(["BROKER"]);
  });
});

describe("NATS", () => {
  const natsOf = (url: string) => configOf({ NATS_URL: url }).broker;

  test.each<[string, object]>([
    ["nats://nats", { servers: ["nats:4222"] }],
    ["nats://10.0.0.1:4333/", { servers: ["10.0.0.1:4333"] }],
    ["NATS://a,b:4333, [::1]:4444", { servers: ["a:4222", "b:4333", "[::1]:4444"] }],
    ["nats://al%40ice:p%3aw@a,b", { servers: ["a:4222", "b:4222"], user: "al@ice", password: "p:w" }],
    ["nats://alice:@a", { servers: ["a:4222"], user: "alice", password: "" }],
    ["nats://s3cr3t@a", { servers: ["a:4222"], token: "s3cr3t" }],
    ["nats://s3cr3t@a:1,b,s3cr3t@c:2", { servers: ["a:1", "b:4222", "c:2"], token: "s3cr3t" }],
  ])("%s names servers and user", (url, target) => {
    expect(natsOf(url)).toEqual({ kind: "nats", ...target } as never);
  });

  test.each([
    "nats",
    "http://nats",
    "nats://",
    "nats://a,,b",
    "nats://a:0",
    "nats://a:99999",
    "nats://a b",
    "nats://@a",
  ])("%s is a fault that shows nothing of it", (url) => {
    expect(faultsOf({ NATS_URL: url })).toEqual(["NATS_URL"]);
    expect(messageOf({ NATS_URL: url })).toContain("must be nats:// or tls://");
  });

  test.each([
    ["nats://s3cr3t@a:1,s3cr3t3@b:2", "one user for all servers"],
    ["nats://a,s3cr3t@b", "one user for all servers"],
    ["nats://s3cr3t@x@a", "written %40"],
    ["nats://alice:s3cr3t@x@a,b", "written %40"],
  ])("the users in %s are a fault that shows nothing of them", (url, words) => {
    expect(faultsOf({ NATS_URL: url })).toEqual(["NATS_URL"]);
    expect(messageOf({ NATS_URL: url })).toContain(words);
    expect(messageOf({ NATS_URL: url })).not.toContain("s3cr3t");
  });

  describe("over TLS", () => {
    const CA = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----";
    const PROOF = "-----BEGIN EC PRIVATE KEY-----\nMII=\n-----END EC PRIVATE KEY-----";

    test("tls:// needs no certificate, and takes those that are set", () => {
      expect(natsOf("tls://a,b:4333")).toEqual({
        kind: "nats",
        servers: ["a:4222", "b:4333"],
        tls: {},
      } as never);
      const env = { NATS_URL: "TLS://t0ken@a", NATS_CA: CA, NATS_CERT: CA, NATS_KEY: PROOF };
      expect(configOf(env).broker).toEqual({
        kind: "nats",
        servers: ["a:4222"],
        token: "t0ken",
        tls: { ca: CA, cert: CA, key: PROOF },
      } as never);
    });

    test.each<[string, Record<string, string>, string]>([
      ["NATS_CA", { NATS_URL: "nats://a", NATS_CA: CA }, "needs tls://"],
      ["NATS_CA", { NATS_URL: "tls://a", NATS_CA: "/etc/ca.pem" }, "name a file as NATS_CA_FILE"],
      ["NATS_KEY", { NATS_URL: "tls://a", NATS_CERT: CA, NATS_KEY: CA }, "BEGIN PRIVATE KEY"],
      ["NATS_KEY", { NATS_URL: "tls://a", NATS_CERT: CA }, "set both"],
      ["NATS_CERT", { NATS_URL: "tls://a", NATS_KEY: PROOF }, "set both"],
    ])("%s is a fault in %j", (name, env, message) => {
      expect(faultsOf(env)).toEqual([name]);
      expect(messageOf(env)).toContain(message);
    });
  });

  describe("with credentials", () => {
    const SEED = `SU${"A".repeat(56)}`;
    const CREDS = `-----BEGIN NATS USER JWT-----\ne.e.e\n------END NATS USER JWT------\n-----BEGIN USER NKEY SEED-----\n${SEED}\n------END USER NKEY SEED------`;

    test.each([SEED, CREDS])("takes the text of a file or a seed", (credentials) => {
      const { broker } = configOf({ NATS_URL: "nats://a", NATS_CREDS: credentials });
      expect(broker).toEqual({ kind: "nats", servers: ["a:4222"], credentials } as never);
    });

    test.each([
      [{ NATS_URL: "nats://u:p@a", NATS_CREDS: SEED }, "names a user as well"],
      [{ NATS_URL: "nats://a", NATS_CREDS: "/etc/gateway.creds" }, "name a file as NATS_CREDS_FILE"],
    ])("%j is a fault that shows nothing of it", (env, message) => {
      expect(faultsOf(env)).toEqual(["NATS_CREDS"]);
      expect(messageOf(env)).toContain(message);
      expect(messageOf(env)).not.toContain(env.NATS_CREDS);
    });
  });

  test.each(["nats://%zz@a", "nats://a:b:c@d", "nats://a:%@d"])("a user as in %s is a fault", (url) => {
    expect(faultsOf({ NATS_URL: url })).toEqual(["NATS_URL"]);
  });

  test("BROKER=nats without an address is the server of this machine", () => {
    expect(configOf({ BROKER: "nats" }).broker).toEqual({ kind: "nats", servers: ["127.0.0.1:4222"] });
  });

  test.each(["module:https://u:s3cr3t@h/x.js", "module:file:///x.js", "module:HTTP:/u:s3cr3t@h"])(
    "BROKER=%s is a fault that shows nothing of it: no module is loaded from an address",
    (BROKER) => {
      expect(faultsOf({ BROKER })).toEqual(["BROKER"]);
      expect(messageOf({ BROKER })).toBe(
        "BROKER: module: needs a path or the name of a package after it, not an address",
      );
    },
  );

  test("if addresses of Redis and of NATS are set BROKER must say which", () => {
    const both = { REDIS_HOST: "redis", NATS_URL: "nats://nats" };
    expect(faultsOf(both)).toEqual(["BROKER"]);
    expect(messageOf(both)).toContain("must say redis or nats");
    const loaded = load(both);
    expect(loaded.notes).toEqual([]);
    for (const kind of ["redis", "nats"] as const)
      expect(configOf({ ...both, BROKER: kind }).broker.kind).toBe(kind);
  });
});

describe("settings of a later release", () => {
  test.each([
    ["NATS_URL", "WSS://nats:443"],
    ["TLS_CERT_FILE", "/cert.pem"],
    ["TLS_KEY_FILE", "/key.pem"],
    ["AUTHORIZE_URL", "https://a.example"],
    ["MAX_CONNECTIONS_PER_ADDRESS", "10"],
    ["HANDSHAKE_RATE", "10"],
    ["PUBLISH_RATE", "10"],
    ["TRUSTED_PROXIES", "10.0.0.0/8"],
  ])("%s=%s stops the start and says why", (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([name]);
    expect(messageOf({ [name]: value })).toContain("not implemented in this release");
    expect(faultsOf({ [`${name}_FILE`]: "/f" }, { "/f": value })).toEqual([`${name}_FILE`]);
  });

  test.each(["MAX_CONNECTIONS_PER_ADDRESS", "HANDSHAKE_RATE", "PUBLISH_RATE"])(
    "%s=0 means none and is accepted",
    (name) => {
      expect(faultsOf({ [name]: "0" })).toEqual([]);
      expect(faultsOf({ [name]: "many" })).toEqual([name]);
    },
  );
});

describe("faults", () => {
  test("come all at once", () => {
    const env = {
      PORT: "x",
      LOG_LEVEL: "x",
      JWT_SECRET_KEY: "x",
      BROKER: "x",
      LISTEN: "x",
    };
    expect(faultsOf(env).sort()).toEqual(Object.keys(env).sort());
  });

  test("CFG-9: say how long a value is, and never what it is", () => {
    expect(messageOf({ PORT: "eighty" })).toBe(
      "PORT: must be a whole number from 0 to 65535; the value has length 6",
    );
  });

  const ODD = "Zq7xW9";
  const NUMBER = "73194";
  test.each(CONFIG_VARIABLES.map(({ name }) => name))("CFG-9: %s is never shown, nor is its file", (name) => {
    for (const value of [ODD, NUMBER, `-${NUMBER}`, ` ${ODD} `, `${ODD}:x`, `/${ODD}/`]) {
      for (const beside of [{}, { BROKER: "redis" }, { NODE_ENV: "production" }, { BROKER: ODD }]) {
        const loads = [
          load({ ...beside, [name]: value }),
          load({ ...beside, [name]: undefined, [`${name}_FILE`]: "/f" }, { "/f": value }),
        ];
        for (const loaded of loads) {
          const said = [...loaded.notes, ...(loaded.ok ? [] : loaded.faults.map(({ message }) => message))];
          for (const shown of [ODD, NUMBER]) expect(said.join("\n")).not.toContain(shown);
        }
      }
    }
  });

  test("CFG-9: one from a file is not even measured", () => {
    expect(messageOf({ HISTORY_SIZE_FILE: "/run/key" }, { "/run/key": "no number" })).toBe(
      "HISTORY_SIZE_FILE: must be a whole number from 1 to 1000000",
    );
  });

  test("never show a secret, an address or a path", () => {
    const secret = "hunter2-hunter2";
    const all = [
      messageOf({ JWT_SECRET_KEY: secret, REDIS_URL: `redis://:${secret}@redis:99999` }),
      messageOf({ REDIS_URL: `rediss://:${secret}@redis`, NATS_URL: secret, JWT_PUBLIC_KEY: secret }),
      messageOf({ BROKER: "redis", REDIS_PORT: `tcp://:${secret}@redis:1` }),
      messageOf({ REDIS_HOST: `:${secret}@redis`, AUTHORIZE_URL: secret, JWT_JWKS_URL: secret }),
      messageOf({ JWT_SECRET_KEY_FILE: secret, ALLOWED_ORIGINS: `https://u:${secret}@a.example` }),
      messageOf({ BROKER: `redis://:${secret}@redis` }),
    ].join("\n");
    expect(all).toContain("JWT_SECRET_KEY_FILE");
    expect(all).not.toContain(secret);
  });
});
