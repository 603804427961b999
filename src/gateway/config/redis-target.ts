import type { Settings } from "./settings.ts";

/** The Redis that the gateway uses. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  /** Number of the database. */
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

const MOST_DB = 1_000_000;
const LOCAL: RedisTarget = { host: "127.0.0.1", port: 6379, db: 0, username: undefined, password: undefined };
const LATER_SCHEMES = ["rediss:", "redis+cluster:", "redis+sentinel:"];

/**
 * Reads REDIS_URL, or REDIS_HOST and its companions. A setting that is not used is not judged; `note` is called with it if
 * it is set.
 */
export function readRedisTarget(settings: Settings, note: (text: string) => void): RedisTarget {
  if (!settings.isSet("REDIS_URL")) return readParts(settings);
  if (settings.isSet("REDIS_HOST")) {
    settings.fault("REDIS_URL", "REDIS_URL and REDIS_HOST are both set; set one of them");
  }
  for (const name of ["REDIS_PORT", "REDIS_DB"] as const) {
    settings.noteUnused(name, "REDIS_URL is set", note);
  }
  const url = settings.text("REDIS_URL");
  const target = url === undefined ? undefined : parseRedisUrl(settings, url);
  if (target?.password === undefined)
    return { ...LOCAL, ...target, password: settings.text("REDIS_PASSWORD") };
  settings.noteUnused("REDIS_PASSWORD", "REDIS_URL holds a password", note);
  return target;
}

function readParts(settings: Settings): RedisTarget {
  const host = settings.text("REDIS_HOST") ?? "127.0.0.1";
  if (!isHost(host)) settings.badValue("REDIS_HOST", "must be a host name or an address, without a port");
  return {
    host,
    port: settings.count("REDIS_PORT", 1, 65535),
    db: settings.count("REDIS_DB", 0, MOST_DB),
    username: undefined,
    password: settings.text("REDIS_PASSWORD"),
  };
}

function parseRedisUrl(settings: Settings, text: string): RedisTarget | undefined {
  const scheme = text.slice(0, text.indexOf("://") + 1).toLowerCase();
  if (LATER_SCHEMES.includes(scheme)) {
    settings.fault("REDIS_URL", `${scheme}// is not implemented in this release`);
    return undefined;
  }
  const expected = "must be redis://[user[:password]@]host[:port][/database]";
  let url: URL;
  let username: string;
  let password: string;
  try {
    url = new URL(text);
    username = decodeURIComponent(url.username);
    password = decodeURIComponent(url.password);
  } catch {
    settings.fault("REDIS_URL", `${expected}; special characters in user and password are percent-encoded`);
    return undefined;
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const db = /^\/?$/.test(url.pathname) ? "0" : url.pathname.slice(1);
  const wellFormed =
    scheme === "redis:" &&
    isHost(host) &&
    url.port !== "0" &&
    /^\d{1,7}$/.test(db) &&
    Number(db) <= MOST_DB &&
    url.search === "" &&
    url.hash === "";
  if (!wellFormed) {
    settings.fault("REDIS_URL", expected);
    return undefined;
  }
  return {
    host,
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(db),
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : password,
  };
}

/** A host name, an IPv4 or an IPv6 address (without brackets). */
export function isHost(text: string): boolean {
  return (
    /^[A-Za-z0-9._-]{1,253}$/.test(text) ||
    /^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?$/.test(text)
  );
}
