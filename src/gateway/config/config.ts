import type { LogLevel } from "../../application/ports/telemetry-port.ts";
import { type AllowedStages, isAllowed, isStageName, STAGES } from "../../domain/stages.ts";
import { type BrokerConfig, readBroker } from "./broker-config.ts";
import { readDemo } from "./demo-config.ts";
import { type SettingInForce, settingsInForce } from "./in-force.ts";
import { type JwtConfig, KEY_MADE_UP, readJwt } from "./jwt-config.ts";
import { type MetricsConfig, readMetrics } from "./metrics-config.ts";
import { mistypedNames } from "./mistyped-names.ts";
import { isHost } from "./network-address.ts";
import { type OriginList, parseOrigins } from "./origins.ts";
import { refuseReserved } from "./reserved.ts";
import { type ConfigFault, type Environment, Settings } from "./settings.ts";
import { defaultOf } from "./variables.ts";

/** The settings of the environment, all of them checked. Frozen. */
export interface Config {
  /** `production` with NODE_ENV=production; `test` counts as development. */
  readonly mode: "development" | "production";
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** The path below which everything is served as well, as `/telltale`; empty for none. */
  readonly basePath: string;
  readonly broker: BrokerConfig;
  /** The plain channels of workers that the gateway listens to. */
  readonly listen: ReadonlySet<ListenLane>;
  readonly jwt: JwtConfig;
  /** Whether the demo is served, with tokens for every visitor. Never in production. */
  readonly demo: boolean;
  /** Origins as browsers send them; undefined if none are set, and then the mode decides. */
  readonly allowedOrigins: OriginList | undefined;
  /** Whether everybody or nobody may watch an analysis that nobody declared viewers for. */
  readonly watchDefault: "allow" | "deny";
  /** Milliseconds between pings. */
  readonly heartbeatIntervalMs: number;
  /** Milliseconds without a sign of life; more than the interval. */
  readonly heartbeatTimeoutMs: number;
  /** Events of a channel kept at least. */
  readonly historySize: number;
  /** Milliseconds that a channel is kept after its last event. */
  readonly historyTtlMs: number;
  /** The stages that workers may name, beside those that are always allowed. */
  readonly stages: AllowedStages;
  /** Milliseconds of silence after which an analysis counts as stalled. */
  readonly stallAfterMs: number;
  /** 0: no analysis is ended because its worker is silent. */
  readonly abandonAfterMs: number;
  /** Milliseconds within which a drain closes the connections. */
  readonly drainMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  /** 0: no limit. */
  readonly maxSubscriptionsPerUser: number;
  /** Client frames a second on one socket; 0 is without limit. */
  readonly messageRate: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly metrics: MetricsConfig;
}

/** One JSON object a line, or text for people. */
export type LogFormat = "json" | "text";

type ListenLane = "analysis" | "user" | "system";

type LoadedConfig =
  /** `notes` tell the operator which values were made up, are not used, or look like a slip. */
  | {
      readonly ok: true;
      readonly config: Config;
      readonly inForce: readonly SettingInForce[];
      readonly notes: readonly string[];
    }
  /** All faults, never only the first. */
  | { readonly ok: false; readonly faults: readonly ConfigFault[]; readonly notes: readonly string[] };

/** Reads the whole configuration. `readFile` answers the text of a file or throws. Never throws itself. */
export function loadConfig(env: Environment, readFile: (path: string) => string): LoadedConfig {
  const settings = new Settings(env, readFile);
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const mode = readMode(settings);
  const host = readHost(settings);
  const broker = readBroker(settings, note);
  if (mode === "production" && broker.kind === "memory") note(MEMORY_IN_PRODUCTION);
  const jwt = readJwt(settings, mode, note);
  const config: Config = {
    mode,
    host,
    port: settings.count("PORT", 0, 65535),
    basePath: readBasePath(settings),
    broker,
    listen: readListen(settings),
    jwt,
    demo: readDemo(settings, { mode, host, keyMadeUp: jwt.generated, signs: jwt.secrets.length > 0 }, note),
    allowedOrigins: readOrigins(settings, note),
    watchDefault: settings.choice(
      "WATCH_DEFAULT",
      ["allow", "deny"],
      mode === "production" ? "deny" : "allow",
    ),
    ...readHeartbeat(settings, note),
    historySize: settings.count("HISTORY_SIZE", 1, 1_000_000),
    historyTtlMs: settings.milliseconds("HISTORY_TTL_SECONDS", 366 * 86_400),
    stages: readStages(settings),
    stallAfterMs: settings.milliseconds("STALL_AFTER_SECONDS", MOST_SECONDS),
    abandonAfterMs: settings.milliseconds("ABANDON_AFTER_SECONDS", MOST_SECONDS, 0),
    drainMs: settings.milliseconds("DRAIN_SECONDS", MOST_SECONDS, 0),
    maxConnections: settings.count("MAX_CONNECTIONS", 1, 10_000_000),
    maxConnectionsPerUser: settings.count("MAX_CONNECTIONS_PER_USER", 1, 10_000_000),
    maxSubscriptionsPerUser: settings.count("MAX_SUBSCRIPTIONS_PER_USER", 0, 100_000_000),
    messageRate: settings.count("MESSAGE_RATE", 0, 1_000_000),
    logLevel: settings.choice("LOG_LEVEL", ["debug", "info", "warn", "error"], "info"),
    logFormat: settings.choice("LOG_FORMAT", ["json", "text"], mode === "production" ? "json" : "text"),
    metrics: readMetrics(settings),
  };
  if (config.demo && !STAGES.every((stage) => isAllowed(config.stages, stage))) note(DEMO_STAGES);
  refuseReserved(settings);
  notes.push(...mistypedNames(env, broker.kind === "module"));
  if (settings.faults.length > 0) return { ok: false, faults: settings.faults, notes };
  if (jwt.generated) notes.unshift(KEY_MADE_UP);
  Object.freeze(config.broker);
  Object.freeze(config.jwt);
  Object.freeze(config.allowedOrigins);
  return { ok: true, config: Object.freeze(config), inForce: settingsInForce(settings), notes };
}

/** Timers of every runtime hold 2^31 milliseconds; this stays well below. */
const MOST_SECONDS = 1_000_000;
const LANES: readonly ListenLane[] = ["analysis", "user", "system"];
const MEMORY_IN_PRODUCTION =
  "The broker is memory, with NODE_ENV=production: one gateway only, nothing survives a restart, and what workers " +
  "PUBLISH on Redis is not heard. Set REDIS_URL to change that.";

const DEMO_STAGES =
  "STAGES leaves out stages of the demo's pipeline: the gateway refuses the analyses that the demo page starts.";

function readMode(settings: Settings): Config["mode"] {
  const name = settings.choice("NODE_ENV", ["development", "test", "production"], "development");
  return name === "production" ? name : "development";
}

function readHost(settings: Settings): string {
  const host = settings.text("HOST") ?? "127.0.0.1";
  if (!isHost(host)) settings.badValue("HOST", "must be a host name or an address, without a port");
  return host;
}

function readBasePath(settings: Settings): string {
  const path = (settings.text("BASE_PATH") ?? "").replace(/\/$/, "");
  if (!/^(?:\/[\w.~-]+)*$/.test(path))
    settings.badValue("BASE_PATH", "must be a path as /telltale, of letters, digits, -, _, . and ~");
  return path;
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

function readStages(settings: Settings): AllowedStages {
  const text = settings.text("STAGES") ?? defaultOf("STAGES");
  if (text === "*") return text;
  const stages = text.split(",").map((entry) => entry.trim());
  if (!stages.every(isStageName)) {
    settings.badValue(
      "STAGES",
      "must be *, or names of 1 to 64 of a-z, 0-9, _, . and -, separated by commas",
    );
  }
  return stages;
}

function readOrigins(settings: Settings, note: (text: string) => void): OriginList | undefined {
  const text = settings.text("ALLOWED_ORIGINS");
  if (text === undefined) return undefined;
  const origins = parseOrigins(text);
  if (origins === undefined) {
    settings.badValue(
      "ALLOWED_ORIGINS",
      "must be origins as https://app.example.com, separated by commas, or *",
    );
  }
  if (origins === "*") note("ALLOWED_ORIGINS is *: every page may connect, so cookies are not looked at.");
  return origins;
}

/** The timeout has to exceed the interval. If only one of them is set, the other's default gives way. */
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
    settings.decide("HEARTBEAT_INTERVAL_SECONDS", `${shorter / 1000}`);
    note("HEARTBEAT_INTERVAL_SECONDS is not set: it is half of HEARTBEAT_TIMEOUT_SECONDS.");
    return { heartbeatIntervalMs: shorter, heartbeatTimeoutMs: timeout };
  }
  if (!settings.isSet("HEARTBEAT_TIMEOUT_SECONDS")) {
    settings.decide("HEARTBEAT_TIMEOUT_SECONDS", `${(2 * interval) / 1000}`);
    note("HEARTBEAT_TIMEOUT_SECONDS is not set: it is twice HEARTBEAT_INTERVAL_SECONDS.");
    return { heartbeatIntervalMs: interval, heartbeatTimeoutMs: 2 * interval };
  }
  settings.fault("HEARTBEAT_TIMEOUT_SECONDS", "must be more than HEARTBEAT_INTERVAL_SECONDS");
  return asGiven;
}
