import { expect, test } from "bun:test";
import { TokenRejected } from "../../../src/application/errors.ts";
import { checkOf } from "../../../src/application/token-checks.ts";

test.each([
  ["wrong audience", "wrong_audience"],
  ["wrong issuer", "wrong_issuer"],
  ["expired", "expired"],
  ["bad signature", "bad_signature"],
  ["unknown key", "unknown_key"],
  ["malformed", "malformed"],
  ["malformed claim \u001b[31mrealm roles", "malformed_claim"],
  ["no bearer token", "missing"],
  ["token missing", "missing"],
  ["token conflicting", "conflicting"],
  ["the token names no user", "no_user"],
  ["text of a verifier from outside", "other"],
  ["constructor", "other"],
])("LOG-3: a token that is refused as %j counts as %s", (message, word) => {
  expect(checkOf(new TokenRejected(message))).toBe(word as ReturnType<typeof checkOf>);
});
