import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";

const COOKIE = "video_worker_session";
const SESSION = /^[0-9a-f-]{36}$/;

/**
 * The visitor's user id. It is made from the session cookie and does not give it away: ids appear in tokens, logs and
 * lists of viewers, and anybody who has the cookie is the visitor. A real backend asks its own login instead.
 */
export async function visitorOf(context: Context): Promise<string> {
  let session = getCookie(context, COOKIE);
  if (session === undefined || !SESSION.test(session)) {
    session = crypto.randomUUID();
    setCookie(context, COOKIE, session, { httpOnly: true, sameSite: "Lax", path: "/", maxAge: 30 * 86_400 });
  }
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(session));
  return `visitor-${new Uint8Array(digest).slice(0, 8).toHex()}`;
}
