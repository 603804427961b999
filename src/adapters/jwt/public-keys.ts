import { importJWK, type JWK } from "jose";

/** The algorithms of each kind of public key. A token is never judged by another one, whatever its header says. */
const KINDS = [
  { kty: "RSA", crv: undefined, algorithms: ["RS256", "PS256"] },
  { kty: "EC", crv: "P-256", algorithms: ["ES256"] },
  { kty: "OKP", crv: "Ed25519", algorithms: ["EdDSA"] },
] as const;

export type PublicAlgorithm = (typeof KINDS)[number]["algorithms"][number];

/** The names of the kinds, for people. */
export const KNOWN_KINDS = "RSA of at least 2048 bits, P-256, Ed25519";

const ALGORITHMS: ReadonlySet<string> = new Set(KINDS.flatMap(({ algorithms }) => algorithms));
const LEAST_RSA_BITS = 2048;
/** More keys than any issuer has. Each one costs an import, and a token without a `kid` one verification. */
const MOST_KEYS = 100;

export function isPublicAlgorithm(algorithm: string): algorithm is PublicAlgorithm {
  return ALGORITHMS.has(algorithm);
}

/** A key of an issuer, for each algorithm that it may be used with. */
export interface PublicKey {
  readonly kid: string | undefined;
  readonly byAlgorithm: ReadonlyMap<PublicAlgorithm, CryptoKey>;
}

/**
 * Imports the keys that can verify a token. The others are left out: of another kind, too short, symmetric, not for
 * signatures, or malformed. Private parts are not read.
 */
export async function importPublicKeys(keys: readonly unknown[]): Promise<readonly PublicKey[]> {
  const imported = await Promise.all(keys.slice(0, MOST_KEYS).map(importOne));
  return imported.filter((key) => key !== undefined);
}

async function importOne(key: unknown): Promise<PublicKey | undefined> {
  if (typeof key !== "object" || key === null) return undefined;
  const { kty, crv, n, e, x, y, kid, alg, use, key_ops: operations } = key as Record<string, unknown>;
  const kind = KINDS.find((one) => one.kty === kty && (one.crv === undefined || one.crv === crv));
  const isForSignatures =
    (use ?? "sig") === "sig" && (!Array.isArray(operations) || operations.includes("verify"));
  if (kind === undefined || !isForSignatures) return undefined;
  const algorithms = kind.algorithms.filter((one) => (alg ?? one) === one);
  const jwk = JSON.parse(JSON.stringify({ kty, crv, n, e, x, y })) as JWK;
  try {
    const entries = await Promise.all(
      algorithms.map(
        async (algorithm) => [algorithm, (await importJWK(jwk, algorithm)) as CryptoKey] as const,
      ),
    );
    if (entries.length === 0 || !entries.every(([, imported]) => isLongEnough(imported))) return undefined;
    return { kid: typeof kid === "string" ? kid : undefined, byAlgorithm: new Map(entries) };
  } catch {
    // One key that is malformed must not make the others useless.
    return undefined;
  }
}

function isLongEnough({ algorithm }: CryptoKey): boolean {
  return !("modulusLength" in algorithm) || Number(algorithm.modulusLength) >= LEAST_RSA_BITS;
}

/** The keys of a set that may have signed a token. */
export interface Candidates {
  readonly keys: readonly CryptoKey[];
  /** Whether the token names its key, and the set has a key of that name: no other key of the issuer can be the right one. */
  readonly named: boolean;
}

/** The keys that the `kid` of a token names; if there is none, those without a name, and all if the token names none. */
export function candidatesOf(
  keys: readonly PublicKey[],
  algorithm: PublicAlgorithm,
  kid: string | undefined,
): Candidates {
  const named = kid === undefined ? [] : keys.filter((key) => key.kid === kid);
  const possible =
    named.length > 0 ? named : keys.filter((key) => kid === undefined || key.kid === undefined);
  return {
    keys: possible.map(({ byAlgorithm }) => byAlgorithm.get(algorithm)).filter((key) => key !== undefined),
    named: named.length > 0,
  };
}
