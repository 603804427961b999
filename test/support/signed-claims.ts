import { createHmac } from "node:crypto";
import { TEST_SECRET } from "./gateway-process.ts";

/** A token with exactly these claims, as another issuer may write them; it ends in ten minutes unless they say otherwise. */
export function signedClaims(claims: Readonly<Record<string, unknown>>, secret = TEST_SECRET): string {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const text = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded({ exp, ...claims })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
