import type { JwtConfig } from "../config/jwt-config.ts";
import { readConfig } from "./command-failed.ts";

/** A key that signs tokens, and the claims that a gateway with this environment asks for. */
interface SigningKey {
  readonly secret: string;
  readonly rules: JwtConfig["rules"];
}

/** The settings that decide how a token is made. */
const USED = /^JWT_(?:SECRET_KEY|ISSUER|AUDIENCE|[A-Z]+_CLAIM)(?:_FILE)?$/;

/**
 * The first key of HS256 tokens that JWT_SECRET_KEY or its file has; undefined if neither is set. Nothing but the settings of
 * tokens is read: a fault in the gateway's other settings does not spoil a token. Throws `CommandFailed` with code 78 if a
 * gateway would refuse them.
 */
export function configuredKey(): SigningKey | undefined {
  const used = Object.entries(process.env).filter(([name]) => USED.test(name));
  const { jwt } = readConfig(Object.fromEntries(used));
  const [secret] = jwt.secrets;
  return jwt.generated || secret === undefined ? undefined : { secret, rules: jwt.rules };
}
