import { type BrokerTls, readBrokerTls } from "./broker-tls.ts";
import { networkAddressOf } from "./network-address.ts";
import type { Settings } from "./settings.ts";
import type { VariableName } from "./variables.ts";

/** The NATS that the gateway uses. */
export interface NatsTarget {
  /** One `host:port` for each server, in the order in which they are tried. */
  readonly servers: readonly string[];
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** The text of a credentials file, or the seed of a user's key. */
  readonly credentials?: string | undefined;
  /** If it is there, the gateway talks to no server without TLS. Each text is PEM. */
  readonly tls?: BrokerTls | undefined;
}

/** The settings of NATS. */
export const OF_NATS: readonly VariableName[] = [
  "NATS_URL",
  "NATS_CA",
  "NATS_CERT",
  "NATS_KEY",
  "NATS_CREDS",
];

const LOCAL: NatsTarget = { servers: ["127.0.0.1:4222"] };
const PORT = 4222;
const TLS = { ca: "NATS_CA", cert: "NATS_CERT", key: "NATS_KEY", askedBy: "tls:// in NATS_URL" } as const;
const LATER_SCHEMES = ["ws", "wss"];
const EXPECTED =
  "must be nats:// or tls://, then [user:password@ or token@]host[:port][,host[:port]]; special characters in user, password and token " +
  "are percent-encoded";

/**
 * Reads NATS_URL: the servers of one NATS in the order in which the gateway tries them, and the user before the first, who
 * is the same for all. Then the certificates for `tls://`, and credentials in place of a user.
 */
export function readNatsTarget(settings: Settings): NatsTarget {
  const target = readAddress(settings);
  const tls = readBrokerTls(settings, TLS, target.tls !== undefined);
  const credentials = readCredentials(settings, target);
  return {
    ...target,
    ...(target.tls !== undefined && { tls }),
    ...(credentials !== undefined && { credentials }),
  };
}

function readAddress(settings: Settings): NatsTarget {
  const text = settings.text("NATS_URL");
  if (text === undefined) return LOCAL;
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/i.exec(text) ?? [];
  if (LATER_SCHEMES.includes(scheme.toLowerCase())) {
    settings.fault("NATS_URL", `${scheme.toLowerCase()}:// is not implemented in this release`);
    return LOCAL;
  }
  const isTls = scheme.toLowerCase() === "tls";
  const target = isTls || scheme.toLowerCase() === "nats" ? targetOf(rest.replace(/\/$/, "")) : undefined;
  if (target === undefined) settings.fault("NATS_URL", EXPECTED);
  if (typeof target === "string") settings.fault("NATS_URL", target);
  return { ...(typeof target === "object" ? target : LOCAL), ...(isTls && { tls: {} }) };
}

function readCredentials(settings: Settings, { user, token }: NatsTarget): string | undefined {
  const text = settings.text("NATS_CREDS");
  if (text === undefined) return undefined;
  if (user !== undefined || token !== undefined) {
    settings.fault("NATS_CREDS", "NATS_URL names a user as well; set one of them");
    return undefined;
  }
  if (isNatsSeed(text) || CREDENTIALS.test(text)) return text;
  const expected = "must be the text of a credentials file, or the seed of a user's key (SU…)";
  settings.badValue("NATS_CREDS", `${expected}; name a file as NATS_CREDS_FILE`);
  return undefined;
}

/** Two texts between lines of hyphens, a token and a seed. */
const CREDENTIALS = /-{3,}[^\n]*-{3,}\s+\S+\s+-{3,}[^\n]*-{3,}\s+-{3,}[^\n]*-{3,}\s+SU[A-Z2-7]{56}\s+-{3,}/;

function isNatsSeed(text: string): boolean {
  return /^SU[A-Z2-7]{56}$/.test(text.trim());
}

/** Words for an address whose users cannot be read. They hold nothing of it: it may be a password. */
type Fault = string;
const AT = "special characters in user, password and token are percent-encoded: an @ in them is written %40";
const ONE_USER = "must name one user for all servers, before the first: the user before another one differs";

function targetOf(text: string): NatsTarget | Fault | undefined {
  const parts = text.split(",").map((part) => part.trim().split("@"));
  if (parts.some(({ length }) => length > 2)) return AT;
  const servers = parts.map((part) => addressOf(part.at(-1) ?? ""));
  const [first, ...others] = parts.map((part) => (part.length === 2 ? part[0] : undefined));
  const user = first === undefined ? {} : userOf(first);
  if (user === undefined || servers.includes(undefined)) return undefined;
  if (others.some((other) => other !== undefined && other !== first)) return ONE_USER;
  return { servers: servers.filter((server) => server !== undefined), ...user };
}

function userOf(text: string): Omit<NatsTarget, "servers"> | undefined {
  const [name = "", password, ...others] = text.split(":").map(decoded);
  if (name === "" || others.length > 0 || (password === undefined && text.includes(":"))) return undefined;
  return password === undefined ? { token: name } : { user: name, password };
}

/** Undefined if it is not percent-encoded as it should be. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // The message would hold the password.
    return undefined;
  }
}

function addressOf(text: string): string | undefined {
  const address = networkAddressOf(text, PORT);
  if (address === undefined) return undefined;
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}
