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
    "BASE_PATH",
    "",
    "Path as `/telltale`: everything is served below it as well, for a proxy that passes it on.",
  ),
  variable(
    "BROKER",
    "memory; redis when REDIS_URL or REDIS_HOST is set; nats when NATS_URL is",
    "Where events are numbered and kept: `memory`, `redis`, `nats`, or `module:` and the path or package of an adapter.",
  ),
  variable(
    "REDIS_URL",
    "",
    "`redis://[user[:password]@]host[:port][/database]`; `redis+sentinel://[user[:password]@]host[:port][,host[:port]]/name[/database]`: the primary of that name among these sentinels; `redis+cluster://[user[:password]@]host[:port][,host[:port]]`: the Cluster that these servers belong to. `rediss` in place of `redis`: only over TLS. `?ssl_cert_reqs=` as in Celery's addresses. Not together with REDIS_HOST.",
  ),
  variable("REDIS_HOST", "127.0.0.1", "Redis host, if REDIS_URL is not used."),
  variable("REDIS_PORT", "6379", "Redis port beside REDIS_HOST."),
  variable("REDIS_DB", "0", "Redis database beside REDIS_HOST."),
  variable(
    "REDIS_PASSWORD",
    "",
    "Redis password beside REDIS_HOST, or if REDIS_URL has none; a file of it is read again for each connection.",
  ),
  variable("REDIS_SENTINEL_PASSWORD", "", "Password of the sentinels, if they ask for one."),
  variable(
    "REDIS_CA",
    "the authorities of the runtime",
    "Certificate authorities of a Redis with `rediss://` (PEM), mostly as `REDIS_CA_FILE`.",
  ),
  variable(
    "REDIS_CERT",
    "",
    "Certificate of the gateway for a Redis that asks for one (PEM), with REDIS_KEY.",
  ),
  variable("REDIS_KEY", "", "Private key to REDIS_CERT (PEM)."),
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
    "made up at every start in development if no key of tokens is set; none in production",
    "Keys of HS256 tokens, each at least 32 bytes, separated by commas or line breaks; the first signs. In production they must be hard to guess: 32 random bytes.",
  ),
  variable(
    "JWT_JWKS_URL",
    "",
    "Addresses of the key sets of issuers, separated by commas (`https://`, or `http://` on this machine). RS256, PS256, ES256, EdDSA. See [TOKENS](TOKENS.md).",
  ),
  variable(
    "JWT_PUBLIC_KEY",
    "",
    "Public keys of tokens (PEM, several one after the other): RSA for RS256 and PS256, P-256 for ES256, Ed25519 for EdDSA.",
  ),
  variable(
    "JWT_ISSUER",
    "",
    "The `iss` that a token must have; several are separated by commas. With as many addresses in JWT_JWKS_URL, each address has the keys of the issuer at its place.",
  ),
  variable("JWT_AUDIENCE", "", "The `aud` that a token must have, or one of several separated by commas."),
  variable(
    "JWT_USER_CLAIM",
    "user_id,sub",
    "Claim that names the user: a dotted path, a name with dots or slashes in quotes; of several separated by commas, the first that is there.",
  ),
  variable(
    "JWT_ANALYSES_CLAIM",
    "analyses",
    "Claim that limits the analyses of a token, written as JWT_USER_CLAIM.",
  ),
  variable(
    "JWT_SCOPE_CLAIM",
    "scope",
    "Claims that hold scopes, as text separated by spaces or as an array, written as JWT_USER_CLAIM; all that are there count.",
  ),
  variable(
    "JWT_SCOPE_PREFIX",
    "",
    "Text that an issuer puts before each scope, as `telltale/` in `telltale/analysis:publish`; several are separated by commas. A scope without it counts as well.",
  ),
  variable(
    "DEMO",
    "on if the key was made up and HOST is this machine's own (127.0.0.1, ::1, localhost); else off",
    "The demo page at `/`, its pipeline, and a token for whoever asks: `on` or `off`. If HOST is this machine's own, no other Host header is served, and the token may cancel. Always off with NODE_ENV=production.",
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
    "STAGES",
    "initializing,uploading,frame_extraction,feature_extraction,model_inference,post_processing,blockchain_submission,completed,failed",
    "Stages that workers may name, separated by commas, each 1 to 64 of `a-z`, `0-9`, `_`, `.` and `-`; or `*`: every such name. `queued`, `completed`, `failed` and `cancelled` are always allowed.",
  ),
  variable(
    "STALL_AFTER_SECONDS",
    "60",
    "Seconds of silence after which a running analysis counts as stalled.",
  ),
  variable(
    "ABANDON_AFTER_SECONDS",
    "0",
    "Seconds of silence after which a running analysis is ended with the error `worker_lost`; 0 is never.",
  ),
  variable(
    "DRAIN_SECONDS",
    "10",
    "Seconds within which the gateway sends its clients away and ends, once it is told to.",
  ),
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
  variable(
    "LOG_FORMAT",
    "json in production; else text",
    "Lines of the log, on standard error: `json`, one object a line, or `text` for people.",
  ),
  variable(
    "METRICS",
    "on",
    "Where `/metrics` is served: `on`, `off`, or `HOST:PORT` for a listener of its own, which serves nothing else.",
  ),

  reserved("TLS_CERT_FILE", "", "Certificate of the gateway's own TLS."),
  reserved("TLS_KEY_FILE", "", "Key of the gateway's own TLS."),
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
