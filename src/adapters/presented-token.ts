/** The token a watcher presents: taken from the first of query, header, subprotocol and cookie that has one. */
export type PresentedToken =
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "missing" }
  /** Two different tokens: nobody can say which one was meant. */
  | { readonly type: "conflicting" };

export interface TokenSources {
  /** Every `token` of the query. */
  readonly query: readonly string[];
  readonly authorization: string | null;
  /** The offered subprotocols, as the header lists them. */
  readonly protocols: string | null;
  readonly cookie: string | null;
  /** A cookie travels by itself, so it counts only where the page that sent it is trusted. */
  readonly cookieTrusted: boolean;
}

const COOKIE = "access_token";
const BEARER_PROTOCOL = "bearer.";

export function presentedToken(sources: TokenSources): PresentedToken {
  const offered = new Set(sources.query.filter((token) => token !== ""));
  const header = bearerOf(sources.authorization);
  if (header) offered.add(header);
  for (const protocol of listed(sources.protocols)) {
    if (protocol.startsWith(BEARER_PROTOCOL)) offered.add(protocol.slice(BEARER_PROTOCOL.length));
  }
  if (offered.size > 1) return { type: "conflicting" };
  const [token] = offered;
  if (token !== undefined) return { type: "token", token };
  const cookie = sources.cookieTrusted ? cookieOf(sources.cookie, COOKIE) : undefined;
  return cookie ? { type: "token", token: cookie } : { type: "missing" };
}

/** The token of an `Authorization: Bearer` header; undefined where there is none. */
export function bearerOf(authorization: string | null): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
}

/** Whether the client offers the protocol that alone is echoed. */
export function offersProtocol(protocols: string | null, name: string): boolean {
  return listed(protocols).includes(name);
}

function listed(header: string | null): string[] {
  return (header ?? "").split(",").flatMap((part) => part.trim() || []);
}

function cookieOf(header: string | null, name: string): string | undefined {
  for (const pair of (header ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name)
      return pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, "$1");
  }
  return undefined;
}
