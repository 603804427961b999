import { isHost } from "./redis-target.ts";
import type { Settings } from "./settings.ts";

/** The NATS that the gateway uses. */
export interface NatsTarget {
  /** One `host:port` for each server, in the order in which they are tried. */
  readonly servers: readonly string[];
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
}

const LOCAL: NatsTarget = { servers: ["127.0.0.1:4222"] };
const PORT = 4222;
const LATER_SCHEMES = ["tls", "ws", "wss"];
const EXPECTED =
  "must be nats://[user:password@ or token@]host[:port][,host[:port]]; special characters in user, password and token " +
  "are percent-encoded";

/** Reads NATS_URL: the servers of one NATS in the order in which the gateway tries them, and the user before the first. */
export function readNatsTarget(settings: Settings): NatsTarget {
  const text = settings.text("NATS_URL");
  if (text === undefined) return LOCAL;
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/i.exec(text) ?? [];
  if (LATER_SCHEMES.includes(scheme.toLowerCase())) {
    settings.fault("NATS_URL", `${scheme.toLowerCase()}:// is not implemented in this release`);
    return LOCAL;
  }
  const target = scheme.toLowerCase() === "nats" ? targetOf(rest.replace(/\/$/, "")) : undefined;
  if (target === undefined) settings.fault("NATS_URL", EXPECTED);
  return target ?? LOCAL;
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
