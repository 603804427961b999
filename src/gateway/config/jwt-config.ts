import { type ClaimPath, parseClaimPaths } from "../../domain/claim-path.ts";
import { type ClaimRules, ORDINARY_CLAIMS } from "../../domain/claim-rules.ts";
import { isLoopback } from "./demo-config.ts";
import { readPublicKeys } from "./jwt-public-keys.ts";
import { madeUpSecret, readSecrets } from "./jwt-secrets.ts";
import type { Settings } from "./settings.ts";

export interface JwtConfig {
  /** The keys of HS256, each at least 32 bytes of UTF-8. The first signs. */
  readonly secrets: readonly string[];
  /** Whether this start made the key up: tokens signed with it are worthless after the next start. */
  readonly generated: boolean;
  /** Public keys that are configured themselves, as JSON Web Keys. */
  readonly publicKeys: readonly JsonWebKey[];
  readonly keySets: readonly KeySetConfig[];
  readonly rules: ClaimRules;
  /** The files that the keys came from. They are read again while the gateway runs. */
  readonly files: Readonly<Partial<Record<KeySetting, string>>>;
}

interface KeySetConfig {
  readonly url: string;
  /** The issuers whose tokens these keys verify; any if left out. */
  readonly issuers?: readonly string[];
}

/** The settings that hold keys. */
export type KeySetting = (typeof KEY_SETTINGS)[number];
export const KEY_SETTINGS = ["JWT_SECRET_KEY", "JWT_PUBLIC_KEY"] as const;

/** The note of a start that goes on with a key that it made up. */
export const KEY_MADE_UP =
  "JWT_SECRET_KEY is not set: a key was made up, and tokens signed with it end with this process.";

/** Reads the keys of tokens, or makes one up, and the claims that tokens must have. Production needs a key. */
export function readJwt(
  settings: Settings,
  mode: "development" | "production",
  note: (text: string) => void,
): JwtConfig {
  const secrets = readSecrets(settings, mode, note);
  const publicKeys = readPublicKeys(settings);
  const issuers = readList(settings, "JWT_ISSUER");
  const keySets = readKeySets(settings, issuers);
  const rules = readRules(settings, issuers);
  if (keySets.length > 0 && issuers.length === 0 && rules.audiences.length === 0) note(ANY_TOKEN);
  const isKeySet = [...KEY_SETTINGS, "JWT_JWKS_URL" as const].some((name) => settings.isSet(name));
  if (mode === "production" && !isKeySet)
    settings.fault(
      "JWT_SECRET_KEY",
      "is required with NODE_ENV=production, or JWT_JWKS_URL, or JWT_PUBLIC_KEY",
    );
  return {
    secrets: isKeySet ? secrets : [madeUpSecret()],
    generated: !isKeySet,
    publicKeys,
    keySets,
    rules,
    files: Object.fromEntries(
      KEY_SETTINGS.flatMap((name) => {
        const file = settings.fileOf(name);
        return file === undefined ? [] : [[name, file]];
      }),
    ),
  };
}

const ANY_TOKEN =
  "JWT_JWKS_URL is set without JWT_ISSUER and JWT_AUDIENCE: a token that its issuer made for another application is good here too.";

function readList(
  settings: Settings,
  name: "JWT_ISSUER" | "JWT_AUDIENCE" | "JWT_JWKS_URL" | "JWT_SCOPE_PREFIX",
): readonly string[] {
  const text = settings.text(name);
  if (text === undefined) return [];
  const entries = text.split(/[,\s]+/).filter((entry) => entry !== "");
  if (entries.length === 0) settings.badValue(name, "must name at least one, several separated by commas");
  return entries;
}

/** If there are several addresses and several issuers, the keys of an address are those of the issuer at the same place. */
function readKeySets(settings: Settings, issuers: readonly string[]): readonly KeySetConfig[] {
  const urls = readList(settings, "JWT_JWKS_URL");
  for (const fault of new Set(urls.map(faultOfUrl)))
    if (fault !== undefined) settings.badValue("JWT_JWKS_URL", fault);
  if (urls.length < 2 || issuers.length < 2) return urls.map((url) => ({ url }));
  if (issuers.length < urls.length) {
    const counts = `there are ${urls.length} addresses and ${issuers.length} issuers`;
    settings.fault("JWT_ISSUER", `must name one issuer, or one for each address of JWT_JWKS_URL: ${counts}`);
  }
  return urls.map((url, place) => ({ url, issuers: issuers.slice(place, place + 1) }));
}

function faultOfUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.hash !== "")
    return "must be the address of a key set, as https://issuer.example/.well-known/jwks.json";
  if (url.username !== "" || url.password !== "") return "must not hold a user or a password";
  if (url.protocol === "https:" || isLoopback(url.hostname.replace(/^\[(.*)\]$/, "$1"))) return undefined;
  return "must begin with https://, unless the issuer runs on this machine: over http:// anybody on the way decides who is let in";
}

function readRules(settings: Settings, issuers: readonly string[]): ClaimRules {
  return {
    issuers,
    audiences: readList(settings, "JWT_AUDIENCE"),
    user: readPaths(settings, "JWT_USER_CLAIM") ?? ORDINARY_CLAIMS.user,
    analyses: readPaths(settings, "JWT_ANALYSES_CLAIM") ?? ORDINARY_CLAIMS.analyses,
    scope: readPaths(settings, "JWT_SCOPE_CLAIM") ?? ORDINARY_CLAIMS.scope,
    scopePrefixes: readList(settings, "JWT_SCOPE_PREFIX"),
  };
}

function readPaths(
  settings: Settings,
  name: "JWT_USER_CLAIM" | "JWT_ANALYSES_CLAIM" | "JWT_SCOPE_CLAIM",
): readonly ClaimPath[] | undefined {
  const text = settings.text(name);
  const paths = text === undefined ? undefined : parseClaimPaths(text);
  if (text !== undefined && paths === undefined)
    settings.badValue(
      name,
      'must be names of claims as realm_access.roles, separated by commas; a name with a dot or a slash is in quotes, as "https://app.example/roles"',
    );
  return paths;
}
