import { IssuerKeys } from "../adapters/jwt/issuer-keys.ts";
import { JoseTokenVerifier } from "../adapters/jwt/jose-token-verifier.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { Config } from "./config/config.ts";

/** The verifier that the configuration asks for. It begins to read the keys of its issuers, and waits for none. */
export function tokenVerifierOf(
  { jwt }: Pick<Config, "jwt">,
  clock: ClockPort,
  telemetry: TelemetryPort,
): JoseTokenVerifier {
  const issuers = jwt.keySets.map((address) => new IssuerKeys(address, clock, telemetry));
  for (const keys of issuers) void keys.prepare();
  return new JoseTokenVerifier({ ...jwt, issuers }, clock);
}
