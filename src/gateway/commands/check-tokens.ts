import { IssuerKeys } from "../../adapters/jwt/issuer-keys.ts";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import type { BrokerPart } from "../../application/ports/broker-self-check.ts";
import type { Config } from "../config/config.ts";

/**
 * Everything that a gateway needs to verify tokens, part by part, as `telltale check` tries it before the broker. No text
 * holds a key.
 */
export function tokenParts({ jwt }: Pick<Config, "jwt">): readonly BrokerPart[] {
  // The configuration has judged these keys: with a bad one the check does not come so far.
  const ownKeys = (name: string, detail: string): BrokerPart => ({
    name,
    try: async () => ({ works: true, detail }),
  });
  const secret = jwt.generated
    ? "none is set: each start makes up another, and its tokens end with it"
    : "long enough, and not known to be weak";
  return [
    ...(jwt.secrets.length === 0 ? [] : [ownKeys("token key", secret)]),
    ...(jwt.publicKeys.length === 0
      ? []
      : [ownKeys("public keys of tokens", `${jwt.publicKeys.length} can be used`)]),
    ...jwt.keySets.map(issuerPart),
  ];
}

function issuerPart(address: Config["jwt"]["keySets"][number]): BrokerPart {
  return {
    name: "keys of an issuer",
    async try() {
      const keys = new IssuerKeys(address, new SystemClock(), new QuietTelemetry());
      await keys.prepare();
      if (keys.trouble === undefined) return { works: true, detail: `${keys.count} from ${keys.name}` };
      const hint = `ask for ${keys.name} from this machine: JWT_JWKS_URL must lead to a JSON key set, without a redirect`;
      return { works: false, reason: keys.trouble, hint };
    },
  };
}
