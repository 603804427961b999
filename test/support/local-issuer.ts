import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export type IssuedAlgorithm = "RS256" | "PS256" | "ES256" | "EdDSA";

/** A key pair of an issuer, and its name in the key set. */
export class IssuerKey {
  readonly kid: string;
  readonly algorithm: IssuedAlgorithm;
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  constructor(algorithm: IssuedAlgorithm = "ES256", kid: string = crypto.randomUUID()) {
    const { publicKey, privateKey } = pairFor(algorithm);
    [this.kid, this.algorithm, this.publicKey, this.#privateKey] = [kid, algorithm, publicKey, privateKey];
  }

  /** The key as an entry of a key set. */
  get jwk(): Record<string, unknown> {
    return { ...this.publicKey.export({ format: "jwk" }), kid: this.kid, alg: this.algorithm, use: "sig" };
  }

  get pem(): string {
    return this.publicKey.export({ type: "spki", format: "pem" }).toString();
  }

  /** A token with exactly these claims; it ends in ten minutes unless they say otherwise. */
  token(claims: Readonly<Record<string, unknown>>, header: Readonly<Record<string, unknown>> = {}): string {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const text = `${encoded({ alg: this.algorithm, typ: "JWT", kid: this.kid, ...header })}.${encoded({ exp, ...claims })}`;
    return `${text}.${this.#signature(text).toString("base64url")}`;
  }

  #signature(text: string): Buffer {
    const bytes = Buffer.from(text);
    const key = this.#privateKey;
    if (this.algorithm === "EdDSA") return sign(null, bytes, key);
    if (this.algorithm === "ES256") return sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" });
    return sign("sha256", bytes, this.algorithm === "PS256" ? { key, padding: 6, saltLength: 32 } : { key });
  }
}

function pairFor(algorithm: IssuedAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  return algorithm === "EdDSA"
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
}

export function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** The key set of an issuer on a free port of this machine. It can be away, and answer in any way. */
export class LocalIssuer {
  /** The keys that it shows. */
  keys: readonly IssuerKey[];
  /** If set, it answers in place of the keys. */
  answer: (() => Response | Promise<Response>) | undefined;
  /** How often it was asked. */
  asked = 0;
  #server: Bun.Server<undefined> | undefined;
  #port = 0;

  constructor(...keys: readonly IssuerKey[]) {
    this.keys = keys;
    this.start();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/jwks.json`;
  }

  /** Listens at the same port as before. */
  start(): void {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: this.#port,
      idleTimeout: 60,
      fetch: () => {
        this.asked++;
        return this.answer?.() ?? Response.json({ keys: this.keys.map(({ jwk }) => jwk) });
      },
    });
    this.#port = this.#server.port ?? 0;
  }

  async stop(): Promise<void> {
    await this.#server?.stop(true);
  }
}
