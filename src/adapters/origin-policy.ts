/** Which pages may watch. `undefined`: the page's own origin in production, every one in development. */
export interface OriginPolicy {
  readonly allowedOrigins: "*" | readonly string[] | undefined;
  readonly mode: "development" | "production";
}

/**
 * Whether a page of this origin may connect. A client that sends no origin is no browser and is not refused for it.
 * Own origin means the same host and port: behind a proxy the gateway cannot see whether the page came by TLS.
 */
export function isOriginAllowed(origin: string | null, host: string | null, policy: OriginPolicy): boolean {
  if (origin === null || policy.allowedOrigins === "*") return true;
  if (policy.allowedOrigins !== undefined) return policy.allowedOrigins.includes(origin.toLowerCase());
  return policy.mode === "development" || isOwnOrigin(origin, host);
}

function isOwnOrigin(origin: string, host: string | null): boolean {
  const parsed = URL.parse(origin);
  return parsed !== null && host !== null && parsed.host === host.toLowerCase();
}
