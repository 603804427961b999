import { compactVerify, decodeJwt, decodeProtectedHeader, errors } from "jose";
import { TokenRejected } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { VerifiedToken } from "../../domain/access-grant.ts";
import type { Claims } from "../../domain/claim-path.ts";
import { type ClaimRules, ORDINARY_CLAIMS } from "../../domain/claim-rules.ts";
import type { IssuerKeys, KeyName } from "./issuer-keys.ts";
import {
  type Candidates,
  candidatesOf,
  importPublicKeys,
  isPublicAlgorithm,
  type PublicKey,
} from "./public-keys.ts";
import { readClaims } from "./token-claims.ts";

/** The most characters of a token. A longer one is refused unread; HTTP headers end at 16 KiB anyway. */
const LONGEST_TOKEN = 8 * 1024;

/** The keys that the gateway has itself. */
export interface OwnKeys {
  /** Keys of HS256, each at least 32 bytes of UTF-8. */
  readonly secrets?: readonly string[];
  /** Public keys as JSON Web Keys. A `kid` is not looked at. */
  readonly publicKeys?: readonly unknown[];
}

interface TrustedKeys extends OwnKeys {
  /** The issuers whose keys are read from an address. */
  readonly issuers?: readonly IssuerKeys[];
  readonly rules?: ClaimRules;
}

/**
 * Verifies tokens by the keys that it is given, and by no key that a token brings or names an address of. The kind of the key
 * decides the algorithm: a secret verifies HS256 alone, an RSA key RS256 and PS256, a key on P-256 ES256, an Ed25519 key
 * EdDSA. It throws `AccessUndecided` only if it has `issuers`.
 */
export class JoseTokenVerifier implements TokenVerifierPort {
  readonly #clock: ClockPort;
  readonly #issuers: readonly IssuerKeys[];
  readonly #rules: ClaimRules;
  #own: Promise<ImportedKeys>;

  /** A text is the one secret. The times of a token are judged by `clock`, to the millisecond. */
  constructor(trusted: string | TrustedKeys, clock: ClockPort) {
    const {
      issuers = [],
      rules = ORDINARY_CLAIMS,
      ...own
    } = typeof trusted === "string" ? { secrets: [trusted] } : trusted;
    this.#clock = clock;
    this.#issuers = issuers;
    this.#rules = rules;
    this.#own = importOwn(own);
  }

  /** Puts these keys in the place of its own. A token that was verified before stays good until it expires. */
  replaceKeys(own: OwnKeys): void {
    this.#own = importOwn(own);
  }

  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > LONGEST_TOKEN) throw new TokenRejected("too long");
    const { header, claims } = decoded(token);
    // The claims come first: an expired token, or one of a foreign issuer, is no reason to ask anybody for keys.
    const verified = readClaims(claims, this.#clock.now(), this.#rules);
    await this.#checkSignature(token, header, claims.iss);
    return verified;
  }

  async #checkSignature(token: string, { alg, kid }: Header, issuer: unknown): Promise<void> {
    const { secrets, publicKeys } = await this.#own;
    if (alg === "HS256" && secrets.length > 0) {
      if (await isSigned(token, alg, secrets)) return;
      throw new TokenRejected("bad signature");
    }
    if (!isPublicAlgorithm(alg) || (publicKeys.length === 0 && this.#issuers.length === 0))
      throw new TokenRejected("algorithm not allowed");
    if (await isSigned(token, alg, candidatesOf(publicKeys, alg, undefined).keys)) return;
    await this.#checkByIssuers(token, { algorithm: alg, kid }, issuer);
  }

  /** Asks no issuer as long as the keys that are there suffice. */
  async #checkByIssuers(token: string, key: KeyName, issuer: unknown): Promise<void> {
    const asked: IssuerKeys[] = [];
    let reason = "unknown key";
    for (const keys of this.#issuers.filter((one) => one.areOf(issuer))) {
      const known = keys.known(key);
      if (known !== undefined && (await isSigned(token, key.algorithm, known.keys))) return;
      if (known?.named === true) reason = "bad signature";
      else asked.push(keys);
    }
    // The others may have a key of the same name.
    const answers = await Promise.allSettled(asked.map((keys) => keys.lookedUp(key)));
    for (const answer of answers)
      if (answer.status === "fulfilled" && (await isSigned(token, key.algorithm, answer.value.keys))) return;
    const undecided = answers.find((answer) => answer.status === "rejected");
    if (undecided !== undefined) throw undecided.reason;
    throw new TokenRejected(answers.some(isBySomeKey) ? "bad signature" : reason);
  }
}

interface ImportedKeys {
  readonly secrets: readonly CryptoKey[];
  readonly publicKeys: readonly PublicKey[];
}

async function importOwn({ secrets = [], publicKeys = [] }: OwnKeys): Promise<ImportedKeys> {
  return {
    secrets: await Promise.all(secrets.map(importSecret)),
    publicKeys: await importPublicKeys(publicKeys),
  };
}

function importSecret(secret: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, ["verify"]);
}

function isBySomeKey(answer: PromiseSettledResult<Candidates>): boolean {
  return answer.status === "fulfilled" && answer.value.keys.length > 0;
}

interface Header {
  readonly alg: string;
  readonly kid: string | undefined;
}

function decoded(token: string): { readonly header: Header; readonly claims: Claims } {
  let header: { alg?: unknown; kid?: unknown; b64?: unknown };
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw new TokenRejected("malformed");
  }
  const { alg, kid, b64 } = header;
  if (typeof alg !== "string" || b64 === false) throw new TokenRejected("malformed");
  if (alg !== "HS256" && !isPublicAlgorithm(alg)) throw new TokenRejected("algorithm not allowed");
  try {
    return { header: { alg, kid: typeof kid === "string" ? kid : undefined }, claims: decodeJwt(token) };
  } catch {
    // The error is not passed on as the cause, because the library's errors hold parts of the token.
    throw new TokenRejected("malformed");
  }
}

/** Whether one of the keys has signed the token. The library judges the signature alone. */
async function isSigned(token: string, algorithm: string, keys: readonly CryptoKey[]): Promise<boolean> {
  for (const key of keys) {
    try {
      await compactVerify(token, key, { algorithms: [algorithm] });
      return true;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw new TokenRejected(reasonOf(error));
    }
  }
  return false;
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JOSEAlgNotAllowed) return "algorithm not allowed";
  return error instanceof errors.JOSEError || error instanceof TypeError ? "malformed" : "cannot be verified";
}
