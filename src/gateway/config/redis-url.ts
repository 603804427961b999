import { type NetworkAddress, networkAddressOf } from "./network-address.ts";

/** The parts of REDIS_URL. */
export type RedisUrl = RedisPlace & {
  /** Number of the database. */
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** How the server's certificate is looked at; undefined without TLS. */
  readonly verifies: boolean | undefined;
};

/** A server, or the sentinels that know where the primary is, or servers of a Cluster. */
type RedisPlace =
  | (NetworkAddress & { readonly sentinels?: undefined; readonly cluster?: undefined })
  | { readonly sentinels: Sentinels; readonly cluster?: undefined }
  | { readonly sentinels?: undefined; readonly cluster: Cluster };

interface Cluster {
  /** Servers that are asked for all others. There is at least one. */
  readonly servers: readonly NetworkAddress[];
}

interface Sentinels {
  /** The name of the primary among them. */
  readonly name: string;
  readonly servers: readonly NetworkAddress[];
  /** The password of the sentinels themselves, which no address holds. */
  readonly password?: string | undefined;
  /** Reads it anew if it is in a file; undefined if it cannot be read at that moment. */
  readonly readPassword?: () => string | undefined;
}

/** Words for an address that cannot be read. They hold nothing of it: it may be a password. */
type Fault = string;

export const MOST_DB = 1_000_000;
const PORT = 6379;
const SENTINEL_PORT = 26_379;
const EXPECTED =
  "must be redis://[user[:password]@]host[:port][/database], redis+sentinel://[user[:password]@]host[:port][,host[:port]]/name" +
  "[/database], or redis+cluster://[user[:password]@]host[:port][,host[:port]]; rediss in place of redis for TLS";
const ENCODED = "special characters in user and password are percent-encoded";

/** Reads REDIS_URL in the forms that clients and Celery know. */
export function parseRedisUrl(text: string): RedisUrl | Fault {
  const [, name = "", rest = ""] = /^([a-z+]+):\/\/(.*)$/is.exec(text) ?? [];
  const [, tls, kind] = /^redis(s?)(?:\+(sentinel|cluster))?$/i.exec(name) ?? [];
  if (tls === undefined) return EXPECTED;
  if (rest.includes("#")) return `${EXPECTED}; a # in user or password is written %23`;
  const at = rest.lastIndexOf("@");
  const user = userOf(rest.slice(0, Math.max(0, at)));
  if (typeof user === "string") return user;
  const [, servers = "", path = "", query] = /^([^/?]*)\/?([^?]*)(?:\?(.*))?$/.exec(rest.slice(at + 1)) ?? [];
  const place = PLACES[kind?.toLowerCase() ?? ""]?.(servers, path);
  if (place === undefined) return `${EXPECTED}; ${ENCODED}`;
  const options = optionsOf(new URLSearchParams(query), tls !== "");
  if (typeof options === "string") return options;
  const { named, ...found } = place;
  const db = named === "" ? (options.db ?? "0") : named;
  if (!/^\d{1,7}$/.test(db) || Number(db) > MOST_DB || (named !== "" && options.db !== undefined))
    return `${EXPECTED}; the database is a number, named once`;
  if (place.cluster !== undefined && Number(db) !== 0)
    return `names database ${Number(db)}, and a Redis Cluster has only database 0`;
  return { ...found, ...user, db: Number(db), verifies: options.verifies };
}

/** The part before the options. `named` is the database as it is written there; "" if it is not. */
type Place = RedisPlace & { readonly named: string };

function serverOf(server: string, path: string): Place | undefined {
  const address = networkAddressOf(server, PORT);
  return address && { ...address, named: path };
}

function sentinelsOf(text: string, path: string): Place | undefined {
  const servers = addressesOf(text, SENTINEL_PORT);
  const [, name = "", named = ""] = /^([A-Za-z0-9._-]+)(?:\/(.*))?$/.exec(path) ?? [];
  return name === "" || servers === undefined ? undefined : { sentinels: { name, servers }, named };
}

function clusterOf(text: string, path: string): Place | undefined {
  const servers = addressesOf(text, PORT);
  return servers && { cluster: { servers }, named: path };
}

/** Undefined if one of them is none. */
function addressesOf(text: string, port: number): readonly NetworkAddress[] | undefined {
  const servers = text.split(",").map((server) => networkAddressOf(server, port));
  const known = servers.filter((server) => server !== undefined);
  return known.length < servers.length ? undefined : known;
}

/** How the place is read, by the word behind the + of the scheme. */
const PLACES: Readonly<Record<string, (servers: string, path: string) => Place | undefined>> = {
  "": serverOf,
  sentinel: sentinelsOf,
  cluster: clusterOf,
};

/** The characters that end the part with the user in some client or other, so that nobody may leave them as they are. */
const ENDS = { "@": "%40", "/": "%2F", "?": "%3F" } as const;

function userOf(text: string): Pick<RedisUrl, "username" | "password"> | Fault {
  for (const [character, encoded] of Object.entries(ENDS))
    if (text.includes(character)) return `${ENCODED}: a ${character} in them is written ${encoded}`;
  const colon = text.indexOf(":");
  const parts = colon === -1 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
  const [username, password] = parts.map(decoded);
  if (username === undefined || (parts.length > 1 && password === undefined))
    return `${ENCODED}: a % in them is written %25`;
  return { username: username || undefined, password: password || undefined };
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

const OPTIONS =
  "has an option that is not known: behind the database may stand db and ssl_cert_reqs; certificates are named by REDIS_CA_FILE, " +
  "REDIS_CERT_FILE and REDIS_KEY_FILE";

/** The options that redis-py and Celery read from an address. */
function optionsOf(
  query: URLSearchParams,
  isTls: boolean,
): { readonly db: string | undefined; readonly verifies: boolean | undefined } | Fault {
  const { db, ssl_cert_reqs, ...others } = Object.fromEntries(query);
  if (Object.keys(others).length > 0) return OPTIONS;
  if (ssl_cert_reqs !== undefined && !isTls) return "has ssl_cert_reqs, which needs rediss://";
  switch (ssl_cert_reqs?.toLowerCase().replace(/^cert_/, "")) {
    // To a client both mean the same.
    case "required":
    case "optional":
      return { db, verifies: true };
    case "none":
      return { db, verifies: false };
    case undefined:
      return { db, verifies: isTls ? true : undefined };
    default:
      return "has an ssl_cert_reqs that is not known: it is required, optional or none";
  }
}
