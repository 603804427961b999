import { decodeJwt, decodeProtectedHeader } from "jose";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import { AccessUndecided, TokenRejected } from "../../application/errors.ts";
import type { BrokerPart } from "../../application/ports/broker-self-check.ts";
import { checkOf, type TokenCheck } from "../../application/token-checks.ts";
import type { VerifiedToken } from "../../domain/access-grant.ts";
import type { Config } from "../config/config.ts";
import { tokenVerifierOf } from "../tokens.ts";

/**
 * Judges a token as a gateway of this configuration would. The finding says what the token allows, or why it is refused, with
 * the claim as the token has it. It never holds the token.
 */
export function givenTokenPart(config: Pick<Config, "jwt">, token: string): BrokerPart {
  return {
    name: "given token",
    async try() {
      try {
        const verifier = tokenVerifierOf(config, new SystemClock(), new QuietTelemetry());
        return { works: true, detail: allowedBy(await verifier.verify(token)) };
      } catch (error) {
        if (error instanceof AccessUndecided)
          return {
            works: false,
            reason: "nobody can decide now: the keys of its issuer cannot be read",
            hint: "",
          };
        if (!(error instanceof TokenRejected)) throw error;
        const reason = `a gateway refuses it: ${error.message}`;
        return { works: false, reason, hint: hintFor(checkOf(error), token, config) };
      }
    },
  };
}

function allowedBy({ userId, scopes, expiresAt, unreadable }: VerifiedToken): string {
  const user = userId === undefined ? "no user, so that it cannot watch" : `user ${userId}`;
  const named = scopes.size === 0 ? "no scopes" : `scopes ${[...scopes].join(" ")}`;
  const malformed = Object.values(unreadable).map((claim) => `; malformed claim ${claim}`);
  return `a gateway takes it: ${user}, ${named}, until ${timeOf(expiresAt)}${malformed.join("")}`;
}

function hintFor(check: TokenCheck, token: string, { jwt }: Pick<Config, "jwt">): string {
  const { issuers, audiences } = jwt.rules;
  switch (check) {
    case "wrong_audience":
      return `its aud is ${claimOf(token, "aud")}; JWT_AUDIENCE is ${audiences.join(",")}`;
    case "wrong_issuer":
      return `its iss is ${claimOf(token, "iss")}; JWT_ISSUER is ${issuers.join(",")}`;
    case "expired":
      return `its exp is ${claimOf(token, "exp")}; it is ${nowInSeconds()} now: take a new one, or look at the clocks`;
    case "not_valid_yet":
      return `its nbf is ${claimOf(token, "nbf")}; it is ${nowInSeconds()} now: look at the clocks`;
    case "issued_in_the_future":
      return `its iat is ${claimOf(token, "iat")}; it is ${nowInSeconds()} now: look at the clocks`;
    case "algorithm_not_allowed":
    case "bad_signature":
    case "unknown_key":
      return `it is signed by ${algorithmOf(token)}: look at JWT_JWKS_URL, JWT_PUBLIC_KEY or JWT_SECRET_KEY`;
    default:
      return "";
  }
}

const LONGEST_CLAIM = 200;

function claimOf(token: string, name: string): string {
  return (JSON.stringify(decodeJwt(token)[name]) ?? "not there").slice(0, LONGEST_CLAIM);
}

function algorithmOf(token: string): string {
  return String(decodeProtectedHeader(token).alg).slice(0, LONGEST_CLAIM);
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function nowInSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}
