/** One environment variable. Its value may also come from the file that `NAME_FILE` names. */
interface ConfigVariable {
  readonly name: string;
  /** The value if it is not set, as the reader parses it, or in words if it depends on others; "" for none. */
  readonly default: string;
  readonly description: string;
  /** False for one that is reserved: setting it stops the start. */
  readonly implemented: boolean;
}

/** Every variable of the gateway. The readers take the defaults of numbers from here, and a test checks the docs against it. */
export const CONFIG_VARIABLES = [
  variable(
    "NODE_ENV",
    "development",
    "`development`, `test` (the same) or `production`; anything else stops the start.",
  ),
  variable("HOST", "127.0.0.1", "Address to listen on."),
  variable("PORT", "8000", "Port to listen on; 0 takes a free one."),
  variable(
    "BROKER",
    "memory; redis when REDIS_URL or REDIS_HOST is set; nats when NATS_URL is",
    "Where events are numbered and kept: `memory`, `redis`, `nats`, or `module:` and the path or package of an adapter.",
  ),
  variable(
    "REDIS_URL",
    "",
    "`redis://[user[:password]@]host[:port][/database]`. Not together with REDIS_HOST.",
  ),
  variable("REDIS_HOST", "127.0.0.1", "Redis host, if REDIS_URL is not used."),
  variable("REDIS_PORT", "6379", "Redis port beside REDIS_HOST."),
  variable("REDIS_DB", "0", "Redis database beside REDIS_HOST."),
  variable("REDIS_PASSWORD", "", "Redis password beside REDIS_HOST, or if REDIS_URL has none."),
  variable(
    "REDIS_WAIT_REPLICAS",
    "1 once the primary has reported a connected replica; else 0",
    "How many replicas must hold an event before it is acknowledged; too few within a second is 503 `outcome_unknown`.",
  ),
  variable(
    "NATS_URL",
    "",
    "`nats://[user:password@ or token@]host[:port][,host[:port]]`: a NATS server with JetStream, or the servers of one cluster in the order in which they are tried. `tls://…`: only over TLS.",
  ),
  variable(
    "NATS_CA",
    "the authorities of the runtime",
    "Certificate authorities of a NATS with `tls://` (PEM), mostly as `NATS_CA_FILE`.",
  ),
  variable("NATS_CERT", "", "Certificate of the gateway for a NATS that asks for one (PEM), with NATS_KEY."),
  variable("NATS_KEY", "", "Private key to NATS_CERT (PEM)."),
  variable(
    "NATS_CREDS",
    "",
    "Text of a NATS credentials file, or the seed of a user's key, in place of a user in NATS_URL; mostly as `NATS_CREDS_FILE`.",
  ),
  variable(
    "LISTEN",
    "analysis,user,system",
    "Which plain channels of workers are listened to, or `none`. On NATS: which subjects of theirs are kept, beside those that already are.",
  ),
  variable(
    "JWT_SECRET_KEY",
    "made up at every start in development; none in production",
    "Key of HS256 tokens, at least 32 bytes. Required with NODE_ENV=production, and hard to guess there: 32 random bytes.",
  ),
  variable(
    "DEMO",
    "on if the key was made up and HOST is this machine's own (127.0.0.1, ::1, localhost); else off",
    "The demo page at `/`, its pipeline, and a token for whoever asks: `on` or `off`. If HOST is this machine's own, no other Host header is served. Always off with NODE_ENV=production.",
  ),
  variable(
    "ALLOWED_ORIGINS",
    "production: the page's own origin; development: every origin",
    "Origins that browsers may connect from, comma-separated, or `*`, under which cookies are not looked at.",
  ),
  variable(
    "WATCH_DEFAULT",
    "allow; deny with NODE_ENV=production",
    "Right to watch an analysis that nobody declared viewers for: `allow` (every valid token) or `deny`.",
  ),
  variable(
    "HEARTBEAT_INTERVAL_SECONDS",
    "15",
    "Seconds between the pings sent to each connection; at most half a timeout that is set alone.",
  ),
  variable(
    "HEARTBEAT_TIMEOUT_SECONDS",
    "30",
    "Seconds without a sign of life after which a connection is closed; more than the interval, twice one that is set alone.",
  ),
  variable("HISTORY_SIZE", "1000", "How many of the newest events of a channel are kept at least."),
  variable("HISTORY_TTL_SECONDS", "86400", "Seconds that a channel is kept after its last event."),
  variable(
    "STALL_AFTER_SECONDS",
    "60",
    "Seconds of silence after which a running analysis counts as stalled.",
  ),
  variable("DRAIN_SECONDS", "10", "Seconds within which open connections are closed when the gateway stops."),
  variable("MAX_CONNECTIONS", "100000", "Connections of one gateway."),
  variable("MAX_CONNECTIONS_PER_USER", "100", "Connections of one user to one gateway."),
  variable(
    "MAX_SUBSCRIPTIONS_PER_USER",
    "5000",
    "Analyses that one user watches on one gateway, over all connections; 0 is without limit.",
  ),
  variable(
    "MESSAGE_RATE",
    "100",
    "Client frames a second on one socket, with bursts of 20 seconds of it, of one second below 100; 0 is without limit.",
  ),
  variable("LOG_LEVEL", "info", "`debug`, `info`, `warn` or `error`."),

  reserved("TLS_CERT_FILE", "", "Certificate of the gateway's own TLS."),
  reserved("TLS_KEY_FILE", "", "Key of the gateway's own TLS."),
  reserved("REDIS_CA_FILE", "", "Certificate authority of a Redis reached over TLS."),
  reserved("JWT_JWKS_URL", "", "Address of a key set for tokens."),
  reserved("JWT_PUBLIC_KEY", "", "Public key for tokens (PEM)."),
  reserved("JWT_ISSUER", "", "Required issuer of tokens."),
  reserved("JWT_AUDIENCE", "", "Required audience of tokens."),
  reserved("AUTHORIZE_URL", "", "Service that is asked who may watch an analysis."),
  reserved("MAX_CONNECTIONS_PER_ADDRESS", "0", "Connections of one address; 0 is without limit."),
  reserved("HANDSHAKE_RATE", "0", "New connections a second of one address; 0 is without limit."),
  reserved("PUBLISH_RATE", "0", "Publishes a second of one token; 0 is without limit."),
  reserved("TRUSTED_PROXIES", "", "Proxies whose forwarding headers are believed."),
] as const satisfies readonly ConfigVariable[];

export type VariableName = (typeof CONFIG_VARIABLES)[number]["name"];

/** The default of a variable. */
export function defaultOf(name: VariableName): string {
  const found: ConfigVariable | undefined = CONFIG_VARIABLES.find((one) => one.name === name);
  return found?.default ?? "";
}

function variable<Name extends string>(name: Name, whenUnset: string, description: string) {
  return { name, default: whenUnset, description, implemented: true };
}

function reserved<Name extends string>(name: Name, whenUnset: string, description: string) {
  return { name, default: whenUnset, description, implemented: false };
}
