import { createPublicKey, type KeyObject } from "node:crypto";
import type { Settings } from "./settings.ts";

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;
const EXPECTED =
  "must be public keys in PEM: a block BEGIN PUBLIC KEY or BEGIN CERTIFICATE for each; RSA of at least 2048 bits, P-256 or Ed25519";
const LEAST_RSA_BITS = 2048;

/**
 * Reads JWT_PUBLIC_KEY: one or more PEM blocks, their line breaks as they are or written `\n`, or one key in Base64 without
 * the lines around it. Answers JSON Web Keys.
 */
export function readPublicKeys(settings: Settings): readonly JsonWebKey[] {
  const text = settings.text("JWT_PUBLIC_KEY");
  if (text === undefined) return [];
  if (/PRIVATE KEY-----/.test(text)) {
    settings.fault(
      "JWT_PUBLIC_KEY",
      "is a private key, which belongs to the issuer alone; set its public key",
    );
    return [];
  }
  const keys = keyObjects(text);
  const webKeys = keys?.map(webKeyOf) ?? [];
  if (webKeys.length > 0 && webKeys.every((key) => key !== undefined)) return webKeys;
  settings.badValue("JWT_PUBLIC_KEY", EXPECTED);
  return [];
}

/** Whether a text is an asymmetric key as issuers show it: PEM, the Base64 of one, or a JSON Web Key. */
export function isKeyText(text: string): boolean {
  return (
    /-----BEGIN /.test(text) || /^\s*\{[\s\S]*"(?:kty|keys)"/.test(text) || keyObjects(text) !== undefined
  );
}

/** Undefined if the text is anything else than public keys. */
function keyObjects(text: string): readonly KeyObject[] | undefined {
  const lines = text.replaceAll("\\n", "\n");
  const blocks = lines.match(BLOCK) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => createPublicKey(block));
    if (!/^[A-Za-z0-9+/=\s]+$/.test(text)) return undefined;
    return [createPublicKey({ key: Buffer.from(text, "base64"), format: "der", type: "spki" })];
  } catch {
    // The library's message may quote the text.
    return undefined;
  }
}

/** Undefined for a kind of key that verifies no token here. */
function webKeyOf(key: KeyObject): JsonWebKey | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa" && (details?.modulusLength ?? 0) < LEAST_RSA_BITS) return undefined;
  if (type !== "rsa" && type !== "ec" && type !== "ed25519") return undefined;
  const webKey = key.export({ format: "jwk" }) as JsonWebKey;
  return type === "ec" && webKey.crv !== "P-256" ? undefined : webKey;
}
