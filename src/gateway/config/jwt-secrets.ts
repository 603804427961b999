import { isKeyText } from "./jwt-public-keys.ts";
import { weaknessOf } from "./key-strength.ts";
import type { Settings } from "./settings.ts";

const LEAST_KEY_BYTES = 32;
const ADVICE = "make one with: openssl rand -hex 32";

/**
 * Reads the keys of HS256 from JWT_SECRET_KEY, the one that signs first. Several are separated by commas or line breaks;
 * if a part is shorter than 32 bytes, the whole text is one key. In production each has to be hard to guess.
 */
export function readSecrets(
  settings: Settings,
  mode: "development" | "production",
  note: (text: string) => void,
): readonly string[] {
  const text = settings.text("JWT_SECRET_KEY");
  if (text === undefined) return [];
  if (isKeyText(text)) {
    const advice = "set a public key as JWT_PUBLIC_KEY, and leave a private one with the issuer";
    settings.fault("JWT_SECRET_KEY", `is a public or private key, which everybody may know; ${advice}`);
    return [];
  }
  const secrets = separated(text);
  if (secrets.length === 1 && /[,\n]/.test(text))
    note(
      "JWT_SECRET_KEY is taken for one key: a part of it between commas or line breaks is under 32 bytes.",
    );
  for (const secret of secrets) judge(secret, settings, mode, note);
  return secrets;
}

/** A key for a start in development without any. */
export function madeUpSecret(): string {
  return crypto.getRandomValues(new Uint8Array(LEAST_KEY_BYTES)).toBase64();
}

function separated(text: string): readonly string[] {
  const parts = text
    .split(/[,\r\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return parts.length > 1 && parts.every((part) => bytesOf(part) >= LEAST_KEY_BYTES) ? parts : [text];
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function judge(
  secret: string,
  settings: Settings,
  mode: "development" | "production",
  note: (text: string) => void,
): void {
  const bytes = bytesOf(secret);
  if (bytes < LEAST_KEY_BYTES) {
    settings.fault("JWT_SECRET_KEY", `must be at least ${LEAST_KEY_BYTES} bytes long, is ${bytes}`);
    return;
  }
  const weakness = weaknessOf(secret);
  if (weakness === undefined) return;
  if (mode === "production") settings.fault("JWT_SECRET_KEY", `${weakness}; ${ADVICE}`);
  else note(`JWT_SECRET_KEY ${weakness}. Production refuses it; ${ADVICE}`);
}
