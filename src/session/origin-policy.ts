/** The pages that may watch. `undefined`: the page's own origin in production, every origin in development. */
export interface OriginPolicy {
  readonly allowedOrigins: "*" | readonly string[] | undefined;
  readonly mode: "development" | "production";
}

/**
 * Whether a page of this origin may connect. A client that sends no origin is no browser and is not refused for it.
 * Own origin means the same host and port: behind a proxy the gateway cannot see whether the page came by TLS. The
 * gateway ignores `X-Forwarded-*`, since anybody may send it.
 */
export function isOriginAllowed(origin: string | null, host: string | null, policy: OriginPolicy): boolean {
  if (origin === null || policy.allowedOrigins === "*") return true;
  if (policy.allowedOrigins !== undefined) return policy.allowedOrigins.includes(comparable(origin));
  return policy.mode === "development" || isOwnOrigin(origin, host);
}

/** Whether a cookie may authenticate. If every page may ask, each could read with the user's own cookie. */
export function cookiesCount({ allowedOrigins }: OriginPolicy): boolean {
  return allowedOrigins !== "*";
}

/** Whether the page came from the host and port that it asks, by whatever scheme. */
export function isOwnOrigin(origin: string, host: string | null): boolean {
  const scheme = ORIGIN.exec(origin)?.[1];
  if (scheme === undefined || host === null || !HOST_OF_ORIGIN.test(host)) return false;
  const page = URL.parse(origin);
  // A host without a port has that of the page's scheme: `app.example` is `app.example:443` for a page that came by TLS.
  const own = URL.parse(`${scheme}//${host}`);
  return page !== null && own !== null && hostOf(page) === hostOf(own);
}

/** Whether a Host header is good. A missing or empty one names no host and is good. */
export function isHostHeader(host: string | null): boolean {
  if (host === null || host === "" || PLAIN_HOST.test(host)) return true;
  return HOST.test(host) && URL.canParse(`http://${host}`);
}

/** A scheme and a host, as every browser sends it: without a path, a user or a query. */
const ORIGIN = /^([a-z][a-z0-9+.-]*:)\/\/[^/?#@\s\\]+$/i;
const HOST_OF_ORIGIN = /^[^/?#@\s\\]+$/;
/** Matches most hosts, so that the gateway parses only the others. */
const PLAIN_HOST = /^[a-z0-9_.-]+(?::\d{1,4})?$/i;
/** Visible ASCII without the characters that would end the host or begin with a user. */
const HOST = /^(?:(?![/?#@\\])[!-~])+$/;

/** Lower case, without the scheme's own port and the dot that may end a host name; other texts in lower case. */
function comparable(origin: string): string {
  const url = ORIGIN.test(origin) ? URL.parse(origin) : null;
  return url === null ? origin.toLowerCase() : `${url.protocol}//${hostOf(url)}`;
}

/** Name and port; `app.example.` and `app.example` are one host. */
function hostOf({ hostname, port }: URL): string {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return port === "" ? name : `${name}:${port}`;
}
