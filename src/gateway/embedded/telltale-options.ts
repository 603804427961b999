import type { AccessPolicy } from "../../application/access-policy.ts";
import { TelltaleError } from "../../application/errors.ts";
import type { BrokerPorts } from "../../application/ports/broker-ports.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { OpenBroker } from "../../package/ports.ts";
import { type Config, loadConfig } from "../config/config.ts";
import type { VariableName } from "../config/variables.ts";
import type { Authenticate } from "./own-authentication.ts";

export interface TelltaleOptions {
  /**
   * A verifier of bearer tokens, or a function of the application that says whose request it is, for instance
   * from the cookie of its own session. If it is left out, `settings` name the keys of tokens: JWT_SECRET_KEY,
   * JWT_JWKS_URL or JWT_PUBLIC_KEY.
   */
  readonly tokens?: TokenVerifierPort | Authenticate;
  /**
   * Where events are numbered and kept: the address of a server (`redis://…`), `memory`, `module:` and a module, the ports
   * themselves, or a function that opens them. `drain` and `close` close it. In memory if left out.
   */
  readonly broker?: string | BrokerPorts | OpenBroker;
  /** Decides who may watch and publish, in place of the claims, the declared viewers and WATCH_DEFAULT. */
  readonly access?: AccessPolicy;
  /** The path before every path of Telltale in the application, as `/telltale`. None if left out. */
  readonly path?: string;
  /** Settings by the names of docs/OPERATING.md. The defaults are those of NODE_ENV=production. */
  readonly settings?: EmbeddedSettings;
  /** The clock of the system if left out. */
  readonly clock?: ClockPort;
  /** Nothing is logged if left out. */
  readonly telemetry?: TelemetryPort;
}

type EmbeddedSettings = Readonly<Partial<Record<EmbeddedSetting, string | number>>>;

const SETTINGS = [
  "NODE_ENV",
  "JWT_SECRET_KEY",
  "JWT_JWKS_URL",
  "JWT_PUBLIC_KEY",
  "JWT_ISSUER",
  "JWT_AUDIENCE",
  "JWT_USER_CLAIM",
  "JWT_ANALYSES_CLAIM",
  "JWT_SCOPE_CLAIM",
  "JWT_SCOPE_PREFIX",
  "ALLOWED_ORIGINS",
  "WATCH_DEFAULT",
  "LISTEN",
  "HEARTBEAT_INTERVAL_SECONDS",
  "HEARTBEAT_TIMEOUT_SECONDS",
  "HISTORY_SIZE",
  "HISTORY_TTL_SECONDS",
  "STAGES",
  "STALL_AFTER_SECONDS",
  "ABANDON_AFTER_SECONDS",
  "DRAIN_SECONDS",
  "MAX_CONNECTIONS",
  "MAX_CONNECTIONS_PER_USER",
  "MAX_SUBSCRIPTIONS_PER_USER",
  "MESSAGE_RATE",
  "REDIS_WAIT_REPLICAS",
  "REDIS_SENTINEL_PASSWORD",
  "REDIS_CA",
  "REDIS_CERT",
  "REDIS_KEY",
  "NATS_CA",
  "NATS_CERT",
  "NATS_KEY",
  "NATS_CREDS",
] as const satisfies readonly VariableName[];

type EmbeddedSetting = (typeof SETTINGS)[number];

/** The options cannot be used. The message has a line for each fault. */
export class OptionsRefused extends TelltaleError {
  readonly code = "options_refused";
}

/** The settings of brokers by the scheme of their address. */
const ADDRESSES = {
  redis: { BROKER: "redis", address: "REDIS_URL" },
  rediss: { BROKER: "redis", address: "REDIS_URL" },
  "redis+sentinel": { BROKER: "redis", address: "REDIS_URL" },
  "rediss+sentinel": { BROKER: "redis", address: "REDIS_URL" },
  nats: { BROKER: "nats", address: "NATS_URL" },
  tls: { BROKER: "nats", address: "NATS_URL" },
} as const;

/** The settings that hold keys of tokens, or lead to them. */
const KEYS: readonly string[] = ["JWT_SECRET_KEY", "JWT_JWKS_URL", "JWT_PUBLIC_KEY"];

/** A key nobody signs with: the application says who asks. */
const NO_KEY = () => crypto.getRandomValues(new Uint8Array(32)).toHex();

/** Reads the settings. The environment of the process has no say. Throws `OptionsRefused` if an option breaks a rule. */
export function readOptions({
  tokens,
  broker = "memory",
  path = "",
  settings = {},
}: TelltaleOptions): Config {
  const faults: string[] = [];
  const ofTokens = Object.keys(settings).filter((name) => name.startsWith("JWT_"));
  const hasKeys = tokens === undefined && ofTokens.some((name) => KEYS.includes(name));
  if (!hasKeys && typeof tokens !== "function" && typeof tokens?.verify !== "function")
    faults.push(
      `tokens: must be a function or a verifier of tokens, unless settings have ${KEYS.join(" or ")}`,
    );
  if (tokens !== undefined)
    for (const name of ofTokens) faults.push(`settings: ${name} has no effect beside tokens`);
  if (!/^(?:\/[\w.~-]+)*$/.test(path)) faults.push("path: must be as /telltale, without a slash at its end");
  for (const name of Object.keys(settings).filter((name) => !(SETTINGS as readonly string[]).includes(name)))
    faults.push(`settings: ${name} is no setting of an embedded gateway`);
  const loaded = loadConfig(
    {
      NODE_ENV: "production",
      ...(hasKeys ? {} : { JWT_SECRET_KEY: NO_KEY() }),
      ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
      ...(typeof broker === "string" && brokerSettings(broker)),
    },
    () => "",
  );
  if (!loaded.ok) faults.push(...loaded.faults.map(({ name, message }) => `${name}: ${message}`));
  if (loaded.ok && faults.length === 0) return loaded.config;
  throw new OptionsRefused(faults.join("\n"));
}

function brokerSettings(broker: string): Readonly<Partial<Record<VariableName, string>>> {
  const scheme = /^([\w+]+):\/\//.exec(broker)?.[1] ?? "";
  if (!(scheme in ADDRESSES)) return { BROKER: broker };
  const { BROKER, address } = ADDRESSES[scheme as keyof typeof ADDRESSES];
  return { BROKER, [address]: broker };
}
