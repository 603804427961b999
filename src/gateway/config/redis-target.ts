import { type BrokerTls, readBrokerTls } from "./broker-tls.ts";
import { isHost } from "./network-address.ts";
import { MOST_DB, parseRedisUrl, type RedisUrl } from "./redis-url.ts";
import type { Settings } from "./settings.ts";

/** The Redis that the gateway uses. */
export type RedisTarget = WithoutVerifies<RedisPlace> & {
  /** If it is there, the gateway talks to no server without TLS. */
  readonly tls?: RedisTls | undefined;
};

type RedisPlace = RedisUrl & {
  /** The setting that has the password, and how it is read anew if that is a file; undefined if there is none. */
  readonly passwordFrom?: { readonly setting: string; readonly read?: () => string | undefined };
};

type WithoutVerifies<Url> = Url extends unknown ? Omit<Url, "verifies"> : never;

interface RedisTls extends BrokerTls {
  /** False: any certificate is accepted. */
  readonly verifies: boolean;
}

const TLS = {
  ca: "REDIS_CA",
  cert: "REDIS_CERT",
  key: "REDIS_KEY",
  askedBy: "rediss:// in REDIS_URL",
} as const;
const LOCAL: RedisUrl = {
  host: "127.0.0.1",
  port: 6379,
  db: 0,
  username: undefined,
  password: undefined,
  verifies: undefined,
};

/**
 * Reads REDIS_URL, or REDIS_HOST and its companions, and the certificates for `rediss://`. A setting that is not used is
 * not judged; `note` is called with it if it is set.
 */
export function readRedisTarget(settings: Settings, note: (text: string) => void): RedisTarget {
  const { verifies, ...place } = settings.isSet("REDIS_URL") ? readUrl(settings, note) : readParts(settings);
  const target = withSentinelPassword(settings, note, place);
  const tls = readBrokerTls(settings, TLS, verifies !== undefined);
  if (verifies === undefined) return target;
  if (!verifies) {
    settings.noteUnused("REDIS_CA", "REDIS_URL has ssl_cert_reqs=none", note);
    note(
      "REDIS_URL has ssl_cert_reqs=none: the gateway sends its password to any server that answers there.",
    );
  }
  return { ...target, tls: { ...tls, verifies } };
}

function readUrl(settings: Settings, note: (text: string) => void): RedisPlace {
  if (settings.isSet("REDIS_HOST")) {
    settings.fault("REDIS_URL", "REDIS_URL and REDIS_HOST are both set; set one of them");
  }
  for (const name of ["REDIS_PORT", "REDIS_DB"] as const) {
    settings.noteUnused(name, "REDIS_URL is set", note);
  }
  const text = settings.text("REDIS_URL");
  const url = text === undefined ? undefined : parseRedisUrl(text);
  if (typeof url === "string") settings.fault("REDIS_URL", url);
  if (typeof url !== "object") return { ...LOCAL, ...isTlsAnyway(text) };
  if (url.password === undefined) return { ...url, ...passwordOf(settings) };
  settings.noteUnused("REDIS_PASSWORD", "REDIS_URL holds a password", note);
  const again = settings.readerOf("REDIS_URL");
  const read = again && (() => passwordIn(again()));
  return { ...url, passwordFrom: { setting: settings.setAs("REDIS_URL"), ...(read && { read }) } };
}

function passwordIn(url: string | undefined): string | undefined {
  const parsed = parseRedisUrl(url ?? "");
  return typeof parsed === "string" ? undefined : parsed.password;
}

function passwordOf(settings: Settings): Pick<RedisPlace, "password" | "passwordFrom"> {
  const password = settings.text("REDIS_PASSWORD");
  if (password === undefined) return { password };
  const read = settings.readerOf("REDIS_PASSWORD");
  return { password, passwordFrom: { setting: settings.setAs("REDIS_PASSWORD"), ...(read && { read }) } };
}

function withSentinelPassword(
  settings: Settings,
  note: (text: string) => void,
  target: RedisTarget,
): RedisTarget {
  if (target.sentinels === undefined) {
    settings.noteUnused("REDIS_SENTINEL_PASSWORD", "REDIS_URL names no sentinels", note);
    return target;
  }
  const password = settings.text("REDIS_SENTINEL_PASSWORD");
  const readPassword = settings.readerOf("REDIS_SENTINEL_PASSWORD");
  return { ...target, sentinels: { ...target.sentinels, password, ...(readPassword && { readPassword }) } };
}

/** The certificates of a faulty address are no faults of their own. */
function isTlsAnyway(text: string | undefined): Pick<RedisUrl, "verifies"> {
  return { verifies: text === undefined || /^rediss/i.test(text) ? true : undefined };
}

function readParts(settings: Settings): RedisPlace {
  const host = settings.text("REDIS_HOST") ?? "127.0.0.1";
  if (!isHost(host)) settings.badValue("REDIS_HOST", "must be a host name or an address, without a port");
  return {
    host,
    port: settings.count("REDIS_PORT", 1, 65535),
    db: settings.count("REDIS_DB", 0, MOST_DB),
    username: undefined,
    verifies: undefined,
    ...passwordOf(settings),
  };
}
