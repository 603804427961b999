import { isHost } from "./redis-target.ts";
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
  readonly tls?: NatsTls | undefined;
}

interface NatsTls {
  /** The authorities that are trusted; those of the runtime if it is left out. */
  readonly ca?: string;
  /** The certificate of the gateway, and its key. */
  readonly cert?: string;
  readonly key?: string;
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
const LATER_SCHEMES = ["ws", "wss"];
const EXPECTED =
  "must be nats:// or tls://, then [user:password@ or token@]host[:port][,host[:port]]; special characters in user, password and token " +
  "are percent-encoded";

/**
 * Reads NATS_URL: the servers of one NATS in the order in which the gateway tries them, and the user before the first. Then
 * the certificates for `tls://`, and credentials in place of a user.
 */
export function readNatsTarget(settings: Settings): NatsTarget {
  const target = readAddress(settings);
  const tls = readTls(settings, target.tls !== undefined);
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
  return { ...(target ?? LOCAL), ...(isTls && { tls: {} }) };
}

function readTls(settings: Settings, isTls: boolean): NatsTls {
  const ca = readPem(settings, "NATS_CA", "CERTIFICATE", isTls);
  const cert = readPem(settings, "NATS_CERT", "CERTIFICATE", isTls);
  const key = readPem(settings, "NATS_KEY", "PRIVATE KEY", isTls);
  const together = "NATS_CERT and NATS_KEY go together; set both";
  if (cert !== undefined && !settings.isSet("NATS_KEY")) settings.fault("NATS_KEY", together);
  if (key !== undefined && !settings.isSet("NATS_CERT")) settings.fault("NATS_CERT", together);
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && key !== undefined && { cert, key }) };
}

function readPem(
  settings: Settings,
  name: "NATS_CA" | "NATS_CERT" | "NATS_KEY",
  label: string,
  isTls: boolean,
): string | undefined {
  if (!settings.isSet(name)) return undefined;
  if (!isTls) {
    settings.fault(name, "needs tls:// in NATS_URL: without it nobody would look at it");
    return undefined;
  }
  const text = settings.text(name);
  if (text === undefined || new RegExp(`-----BEGIN (?:[A-Z]+ )?${label}-----`).test(text)) return text;
  settings.badValue(name, `must be PEM, with a line BEGIN ${label}; name a file as ${name}_FILE`);
  return undefined;
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

function targetOf(text: string): NatsTarget | undefined {
  const at = text.lastIndexOf("@");
  const servers = text
    .slice(at + 1)
    .split(",")
    .map(addressOf);
  const user = at === -1 ? {} : userOf(text.slice(0, at));
  if (user === undefined || servers.includes(undefined)) return undefined;
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
  const [, host = "", port = `${PORT}`] = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  const isGood = isHost(host.replace(/^\[(.*)\]$/, "$1")) && Number(port) >= 1 && Number(port) <= 65_535;
  return isGood ? `${host}:${port}` : undefined;
}
