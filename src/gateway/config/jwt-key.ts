import { weaknessOf } from "./key-strength.ts";
import type { Settings } from "./settings.ts";

export interface JwtConfig {
  /** The key of HS256, at least 32 bytes of UTF-8. */
  readonly secret: string;
  /** Whether this start made the key up: tokens signed with it are worthless after the next start. */
  readonly generated: boolean;
}

const LEAST_KEY_BYTES = 32;
/** The note of a start that goes on with a key that it made up. */
export const KEY_MADE_UP =
  "JWT_SECRET_KEY is not set: a key was made up, and tokens signed with it end with this process.";
const ADVICE = "make one with: openssl rand -hex 32";

/** Reads the key of tokens, or makes one up. In production the key has to be set and hard to guess. */
export function readJwt(
  settings: Settings,
  mode: "development" | "production",
  note: (text: string) => void,
): JwtConfig {
  const secret = settings.text("JWT_SECRET_KEY");
  if (secret !== undefined) {
    judge(secret, settings, mode, note);
    return { secret, generated: false };
  }
  if (mode === "production" && !settings.isSet("JWT_SECRET_KEY")) {
    settings.fault("JWT_SECRET_KEY", "is required with NODE_ENV=production");
  }
  return { secret: crypto.getRandomValues(new Uint8Array(LEAST_KEY_BYTES)).toBase64(), generated: true };
}

function judge(
  secret: string,
  settings: Settings,
  mode: "development" | "production",
  note: (text: string) => void,
): void {
  const bytes = new TextEncoder().encode(secret).length;
  if (bytes < LEAST_KEY_BYTES) {
    settings.fault("JWT_SECRET_KEY", `must be at least ${LEAST_KEY_BYTES} bytes long, is ${bytes}`);
    return;
  }
  const weakness = weaknessOf(secret);
  if (weakness === undefined) return;
  if (mode === "production") settings.fault("JWT_SECRET_KEY", `${weakness}; ${ADVICE}`);
  else note(`JWT_SECRET_KEY ${weakness}. Production refuses it; ${ADVICE}`);
}
