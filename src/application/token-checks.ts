import type { TokenRejected } from "./errors.ts";

/** Everything about a token that is checked, by a fixed word: for the log, which holds no text from outside. */
export const TOKEN_CHECKS = [
  "algorithm_not_allowed",
  "bad_signature",
  "cannot_be_verified",
  "conflicting",
  "expired",
  "issued_in_the_future",
  "malformed",
  "malformed_claim",
  "missing",
  "no_expiry",
  "no_user",
  "not_signed_in",
  "not_valid_yet",
  "other",
  "too_long",
  "unknown_key",
  "wrong_audience",
  "wrong_issuer",
] as const;

export type TokenCheck = (typeof TOKEN_CHECKS)[number];

/** The reasons that are not the word with blanks in place of its underscores. */
const OTHER_REASONS: ReadonlyMap<string, TokenCheck> = new Map([
  ["no bearer token", "missing"],
  ["the token names no user", "no_user"],
  ["token conflicting", "conflicting"],
  ["token missing", "missing"],
]);

/** The check that a token did not pass; `other` if a verifier from outside gives a reason of its own. */
export function checkOf({ message }: TokenRejected): TokenCheck {
  if (message.startsWith("malformed claim ")) return "malformed_claim";
  const word = message.replaceAll(" ", "_");
  return OTHER_REASONS.get(message) ?? TOKEN_CHECKS.find((one) => one === word) ?? "other";
}
