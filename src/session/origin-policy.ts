/** Which pages may watch. `undefined`: the page's own origin in production, every one in development. */
export interface OriginPolicy {
  readonly allowedOrigins: "*" | readonly string[] | undefined;
  readonly mode: "development" | "production";
}

/**
 * Whether a page of this origin may connect. A client that sends no origin is no browser and is not refused for it.
 * Own origin means the same host and port: behind a proxy the gateway cannot see whether the page came by TLS. What a
 * proxy says in `X-Forwarded-*` is not looked at, since anybody may send it.
 */
export function isOriginAllowed(origin: string | null, host: string | null, policy: OriginPolicy): boolean {
  if (origin === null || policy.allowedOrigins === "*") return true;
  if (policy.allowedOrigins !== undefined) return policy.allowedOrigins.includes(comparable(origin));
  return policy.mode === "development" || isOwnOrigin(origin, host);
}

/** Whether a cookie may say who somebody is. Not where every page may ask: each could read with the user's own cookie. */
export function cookiesCount({ allowedOrigins }: OriginPolicy): boolean {
  return allowedOrigins !== "*";
}

/** A scheme and a host, as every browser sends it: without a path, a user or a query. */
const ORIGIN = /^([a-z][a-z0-9+.-]*:)\/\/[^/?#@\s\\]+$/i;
const HOST = /^[^/?#@\s\\]+$/;

/** Lower case, without the scheme's own port and the dot that may end a host name; other texts in lower case. */
function comparable(origin: string): string {
  const url = ORIGIN.test(origin) ? URL.parse(origin) : null;
  return url === null ? origin.toLowerCase() : `${url.protocol}//${hostOf(url)}`;
}

/** Whether the page came from the host and port that it asks, by whatever scheme. */
export function isOwnOrigin(origin: string, host: string | null): boolean {
  const scheme = ORIGIN.exec(origin)?.[1];
  if (scheme === undefined || host === null || !HOST.test(host)) return false;
  const page = URL.parse(origin);
  // The port that goes without saying is that of the page's scheme: `app.example:443` for a page that came by TLS.
  const own = URL.parse(`${scheme}//${host}`);
  return page !== null && own !== null && hostOf(page) === hostOf(own);
}

/** Name and port; `app.example.` and `app.example` are one host. */
function hostOf({ hostname, port }: URL): string {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return port === "" ? name : `${name}:${port}`;
}
