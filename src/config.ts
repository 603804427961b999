import type { LogLevel } from "./application/ports/telemetry-port.ts";
import { type OriginList, parseOrigins } from "./config/origins.ts";
import { isHost, type RedisTarget, readRedisTarget } from "./config/redis-target.ts";
import { refuseReserved } from "./config/reserved.ts";
import { type ConfigFault, type Environment, Settings } from "./config/settings.ts";

/** What the environment says, checked whole. Frozen. */
export interface Config {
  /** `production` with NODE_ENV=production and nothing else. */
  readonly mode: "development" | "production";
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly broker: BrokerConfig;
  /** Which plain channels of workers are listened to. */
  readonly listen: ReadonlySet<ListenLane>;
  readonly jwt: JwtConfig;
  /** Origins as browsers send them; undefined where nothing was said (the mode decides). */
  readonly allowedOrigins: OriginList | undefined;
  /** Who may watch an analysis that nobody declared viewers for. */
  readonly watchDefault: "allow" | "deny";
  /** Milliseconds between pings. */
  readonly heartbeatIntervalMs: number;
  /** Milliseconds without a sign of life; more than the interval. */
  readonly heartbeatTimeoutMs: number;
  /** Events of a channel kept at least. */
  readonly historySize: number;
  /** Milliseconds that a channel is kept after its last event. */
  readonly historyTtlMs: number;
  /** Milliseconds of silence after which an analysis counts as stalled. */
  readonly stallAfterMs: number;
  /** Milliseconds within which connections are closed at the end. */
  readonly drainMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  /** 0: no limit. */
  readonly maxSubscriptionsPerUser: number;
  /** Client frames a second on one socket; 0 is without limit. */
  readonly messageRate: number;
  readonly logLevel: LogLevel;
}

export type BrokerConfig = { readonly kind: "memory" } | RedisConfig;

export interface RedisConfig extends RedisTarget {
  readonly kind: "redis";
  /** Replicas that must hold an event before it is acknowledged; `seen`: one, as soon as one was ever reported. */
  readonly waitReplicas: number | "seen";
}

export type ListenLane = "analysis" | "user" | "system";

export interface JwtConfig {
  /** Key of HS256, at least 32 bytes of UTF-8. */
  readonly secret: string;
  /** Made up at this start: tokens signed with it are worthless after the next. */
  readonly generated: boolean;
}

export type LoadedConfig =
  /** `notes` are for the operator: what was made up, what is not used. */
  | { readonly ok: true; readonly config: Config; readonly notes: readonly string[] }
  /** Every fault, never only the first. */
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/** Reads the whole configuration. `readFile` gives the text of a file or throws. Never throws itself. */
export function loadConfig(env: Environment, readFile: (path: string) => string): LoadedConfig {
  const settings = new Settings(env, readFile);
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const mode = readMode(env.NODE_ENV, note);
  const config: Config = {
    mode,
    host: readHost(settings),
    port: settings.count("PORT", 0, 65535),
    broker: readBroker(settings, note),
    listen: readListen(settings),
    jwt: readJwt(settings, mode, note),
    allowedOrigins: readOrigins(settings),
    watchDefault: settings.choice(
      "WATCH_DEFAULT",
      ["allow", "deny"],
      mode === "production" ? "deny" : "allow",
    ),
    ...readHeartbeat(settings, note),
    historySize: settings.count("HISTORY_SIZE", 1, 1_000_000),
    historyTtlMs: settings.milliseconds("HISTORY_TTL_SECONDS", 366 * 86_400),
    stallAfterMs: settings.milliseconds("STALL_AFTER_SECONDS", MOST_SECONDS),
    drainMs: settings.milliseconds("DRAIN_SECONDS", MOST_SECONDS, 0),
    maxConnections: settings.count("MAX_CONNECTIONS", 1, 10_000_000),
    maxConnectionsPerUser: settings.count("MAX_CONNECTIONS_PER_USER", 1, 10_000_000),
    maxSubscriptionsPerUser: settings.count("MAX_SUBSCRIPTIONS_PER_USER", 0, 100_000_000),
    messageRate: settings.count("MESSAGE_RATE", 0, 1_000_000),
    logLevel: settings.choice("LOG_LEVEL", ["debug", "info", "warn", "error"], "info"),
  };
  refuseReserved(settings);
  if (settings.faults.length > 0) return { ok: false, faults: settings.faults };
  Object.freeze(config.broker);
  Object.freeze(config.jwt);
  Object.freeze(config.allowedOrigins);
  return { ok: true, config: Object.freeze(config), notes };
}

/** Timers of every runtime hold 2^31 milliseconds; this stays well below. */
const MOST_SECONDS = 1_000_000;
const LANES: readonly ListenLane[] = ["analysis", "user", "system"];
const MOST_REPLICAS = 1_000;
const LEAST_KEY_BYTES = 32;

function readMode(nodeEnv: string | undefined, note: (text: string) => void): Config["mode"] {
  if (nodeEnv === "production") return "production";
  if (!["", "development", "test", undefined].includes(nodeEnv)) {
    note("NODE_ENV is set to something other than production: this is development mode.");
  }
  return "development";
}

function readHost(settings: Settings): string {
  const host = settings.text("HOST") ?? "127.0.0.1";
  if (!isHost(host)) settings.badValue("HOST", "must be a host name or an address, without a port");
  return host;
}

function readBroker(settings: Settings, note: (text: string) => void): BrokerConfig {
  const target = readRedisTarget(settings, note);
  const waitReplicas = settings.isSet("REDIS_WAIT_REPLICAS")
    ? settings.count("REDIS_WAIT_REPLICAS", 0, MOST_REPLICAS)
    : "seen";
  const named = settings.text("BROKER");
  if (named === "nats" || named?.startsWith("module:")) {
    settings.fault("BROKER", "nats and module:… are not implemented in this release");
    return { kind: "memory" };
  }
  const whenUnset = settings.isSet("REDIS_URL") || settings.isSet("REDIS_HOST") ? "redis" : "memory";
  const kind = settings.choice("BROKER", ["memory", "redis"], whenUnset);
  return kind === "redis" ? { kind, ...target, waitReplicas } : { kind };
}

function readListen(settings: Settings): ReadonlySet<ListenLane> {
  const text = settings.text("LISTEN");
  if (text === undefined) return new Set(LANES);
  const named = text.split(",").map((entry) => entry.trim());
  if (named.length === 1 && named[0] === "none") return new Set();
  const lanes = LANES.filter((lane) => named.includes(lane));
  if (lanes.length !== new Set(named).size) {
    settings.badValue("LISTEN", "must be none, or of analysis, user and system, separated by commas");
  }
  return new Set(lanes);
}

function readJwt(settings: Settings, mode: Config["mode"], note: (text: string) => void): JwtConfig {
  const secret = settings.text("JWT_SECRET_KEY");
  if (secret !== undefined) {
    const bytes = new TextEncoder().encode(secret).length;
    if (bytes < LEAST_KEY_BYTES) {
      settings.fault("JWT_SECRET_KEY", `must be at least ${LEAST_KEY_BYTES} bytes long, is ${bytes}`);
    }
    return { secret, generated: false };
  }
  if (mode === "production" && !settings.isSet("JWT_SECRET_KEY")) {
    settings.fault("JWT_SECRET_KEY", "is required with NODE_ENV=production");
  }
  note("JWT_SECRET_KEY is not set: a key was made up, and tokens signed with it end with this process.");
  return { secret: crypto.getRandomValues(new Uint8Array(LEAST_KEY_BYTES)).toBase64(), generated: true };
}

function readOrigins(settings: Settings): OriginList | undefined {
  const text = settings.text("ALLOWED_ORIGINS");
  if (text === undefined) return undefined;
  const origins = parseOrigins(text);
  if (origins === undefined) {
    settings.badValue(
      "ALLOWED_ORIGINS",
      "must be origins as https://app.example.com, separated by commas, or *",
    );
  }
  return origins;
}

/** The timeout has to exceed the interval. Where only one of them is set, the other's default gives way. */
function readHeartbeat(
  settings: Settings,
  note: (text: string) => void,
): Pick<Config, "heartbeatIntervalMs" | "heartbeatTimeoutMs"> {
  const faultsBefore = settings.faults.length;
  const interval = settings.milliseconds("HEARTBEAT_INTERVAL_SECONDS", MOST_SECONDS);
  const timeout = settings.milliseconds("HEARTBEAT_TIMEOUT_SECONDS", MOST_SECONDS);
  const asGiven = { heartbeatIntervalMs: interval, heartbeatTimeoutMs: timeout };
  if (timeout > interval || settings.faults.length > faultsBefore) return asGiven;
  if (!settings.isSet("HEARTBEAT_INTERVAL_SECONDS") && timeout > 1) {
    const shorter = Math.floor(timeout / 2);
    note(`HEARTBEAT_INTERVAL_SECONDS is ${shorter / 1000}, half of HEARTBEAT_TIMEOUT_SECONDS.`);
    return { heartbeatIntervalMs: shorter, heartbeatTimeoutMs: timeout };
  }
  if (!settings.isSet("HEARTBEAT_TIMEOUT_SECONDS")) {
    note(`HEARTBEAT_TIMEOUT_SECONDS is ${(2 * interval) / 1000}, twice HEARTBEAT_INTERVAL_SECONDS.`);
    return { heartbeatIntervalMs: interval, heartbeatTimeoutMs: 2 * interval };
  }
  settings.fault(
    "HEARTBEAT_TIMEOUT_SECONDS",
    `must be more than HEARTBEAT_INTERVAL_SECONDS (${timeout / 1000} against ${interval / 1000})`,
  );
  return asGiven;
}
