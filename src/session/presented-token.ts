import type { VerifiedToken } from "../domain/access-grant.ts";

/** The token that a watcher presents in the query, a header, a subprotocol or, without these, a cookie. */
export type PresentedToken =
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "missing" }
  /** The watcher presents two different tokens, and the gateway cannot tell which one counts. */
  | { readonly type: "conflicting" }
  /**
   * The application that embeds the gateway says whose request it is; undefined: nobody's that it knows. `holder` rejects
   * with `AccessUndecided` if it cannot say so now.
   */
  | { readonly type: "asked"; readonly holder: () => Promise<VerifiedToken | undefined> };

export interface TokenSources {
  /** Every `token` of the query. */
  readonly query: readonly string[];
  readonly authorization: string | null;
  /** The offered subprotocols, as the header lists them. */
  readonly protocols: string | null;
  readonly cookie: string | null;
  /** A browser sends a cookie by itself, so the cookie counts only if the page is trusted. */
  readonly cookieTrusted: boolean;
}

const COOKIE = "access_token";
const BEARER_PROTOCOL = "bearer.";
// Each part begins with a character that the one before cannot end with, so matching takes linear time.
const WRAPPED_TOKEN = /^(?:[\s"]|%22)*(?:bearer(?:[\s+]|%20)+)*([^\s"%+]+)(?:[\s"]|%22)*$/i;
const NOTHING = /^(?:[\s"]|%22)*$/;

export function presentedToken(sources: TokenSources): PresentedToken {
  const offered = new Set(sources.query.map(bareToken));
  offered.add(bearerOf(sources.authorization) ?? "");
  for (const protocol of listed(sources.protocols)) {
    if (protocol.startsWith(BEARER_PROTOCOL)) offered.add(bareToken(protocol.slice(BEARER_PROTOCOL.length)));
  }
  offered.delete("");
  if (offered.size > 1) return { type: "conflicting" };
  const [token] = offered;
  if (token !== undefined) return { type: "token", token };
  const cookie = sources.cookieTrusted ? bareToken(cookieOf(sources.cookie, COOKIE) ?? "") : "";
  return cookie !== "" ? { type: "token", token: cookie } : { type: "missing" };
}

/** The token of an `Authorization: Bearer` header; undefined if there is none. */
export function bearerOf(authorization: string | null): string | undefined {
  const credentials = /^bearer +(\S.*)$/i.exec(authorization ?? "")?.[1];
  const token = credentials === undefined ? "" : bareToken(credentials);
  return /^\S+$/.test(token) ? token : undefined;
}

/**
 * The token without the characters that clients put around it: blanks, quotes (FastAPI writes a cookie with them), and
 * the word `Bearer`, its blank percent-encoded or not. None of them can be part of a token.
 */
export function bareToken(text: string): string {
  return WRAPPED_TOKEN.exec(text)?.[1] ?? (NOTHING.test(text) ? "" : text);
}

/** Whether the client offers the subprotocol `name`. */
export function offersProtocol(protocols: string | null, name: string): boolean {
  return listed(protocols).includes(name);
}

function listed(header: string | null): string[] {
  return (header ?? "").split(",").flatMap((part) => part.trim() || []);
}

function cookieOf(header: string | null, name: string): string | undefined {
  for (const pair of (header ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1);
  }
  return undefined;
}
