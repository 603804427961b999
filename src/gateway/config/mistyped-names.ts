import { type Environment, isServiceAddress } from "./settings.ts";
import { CONFIG_VARIABLES } from "./variables.ts";

/**
 * Answers one sentence for each variable that is no setting but close to one: a typing slip (`HISTROY_SIZE`), a word left
 * out (`JWT_SECRET`), another unit (`HISTORY_TTL_MS`), another case, or `TELLTALE_` before it. Variables that Kubernetes
 * injects for its Services are left out. No sentence shows a value. `module`: the broker is a module, which has settings of
 * its own; then a name that is close to the setting of another broker is left out as well.
 */
export function mistypedNames(env: Environment, module = false): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (
      value === undefined ||
      value === "" ||
      KNOWN.has(name) ||
      name === OF_OPENSSL ||
      isOfKubernetes(name, value)
    )
      return [];
    const meant = meantBy(name);
    return meant === undefined || (module && OF_BROKERS.test(meant))
      ? []
      : [`${name} is no setting of Telltale and not used. Is ${meant} meant?`];
  });
}

const NAMES: readonly string[] = CONFIG_VARIABLES.map(({ name }) => name);
const KNOWN: ReadonlySet<string> = new Set(NAMES.flatMap((name) => [name, `${name}_FILE`]));

const UNIT = /_(MS|MILLIS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINS|MINUTES|HOURS|DAYS)$/;

/** Each setting by its shortened names. If two settings share one, it means the first. */
const SHORTENED: ReadonlyMap<string, string> = new Map(
  NAMES.toReversed().flatMap((known) => shortened(known).map((name) => [name, known] as const)),
);

const OF_BROKERS = /^(?:BROKER|REDIS_\w+|NATS_\w+)$/;

/** It is two letters from TLS_CERT_FILE, and many images set it. */
const OF_OPENSSL = "SSL_CERT_FILE";

const SERVICE = /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?$/;

/** Shorter names are close to ordinary ones by chance (`PORTS`, `HOSTS`), so only two swapped letters count for them. */
const SHORTEST_WITH_SLIPS = 8;
const SHORTEST_WITH_TWO_SLIPS = 12;

function isOfKubernetes(name: string, value: string): boolean {
  return SERVICE.test(name) || (name.endsWith("_PORT") && isServiceAddress(value));
}

function meantBy(name: string): string | undefined {
  const given = name.toUpperCase().replace(/^TELLTALE_(?=.)/, "");
  if (KNOWN.has(given)) return given;
  const bare = given.replace(/_FILE$/, "");
  const inFull = SHORTENED.get(bare) ?? SHORTENED.get(bare.replace(UNIT, ""));
  return inFull ?? NAMES.find((known) => isSlip(given, known) || (bare !== given && isSlip(bare, known)));
}

/** A setting without its unit, or without one of its words. The first word always stays: it names the subject. */
function shortened(known: string): string[] {
  const words = known.split("_");
  const lacking = words.length < 3 ? [] : words.slice(1).map((_, at) => words.toSpliced(at + 1, 1).join("_"));
  return [known.replace(UNIT, ""), ...lacking];
}

function isSlip(given: string, known: string): boolean {
  const mostSlips = known.length < SHORTEST_WITH_TWO_SLIPS ? 1 : 2;
  if (Math.abs(given.length - known.length) > mostSlips) return false;
  if (known.length < SHORTEST_WITH_SLIPS && !isAnagram(given, known)) return false;
  return slipsBetween(given, known) <= mostSlips;
}

function isAnagram(one: string, other: string): boolean {
  return [...one].sort().join() === [...other].sort().join();
}

/** The number of characters added, left out, replaced, or swapped with their neighbour (optimal string alignment). */
function slipsBetween(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1];
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [beforeLast, last] = [last, current];
  }
  return last[other.length] ?? 0;
}
