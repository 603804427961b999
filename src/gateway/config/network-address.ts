/** A server; an IPv6 address is without brackets. */
export interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host` or `host:port`, an IPv6 address in brackets. Undefined if it is neither. */
export function networkAddressOf(text: string, defaultPort: number): NetworkAddress | undefined {
  const [, given = "", digits] = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  const host = given.replace(/^\[(.*)\]$/, "$1");
  const port = digits === undefined ? defaultPort : Number(digits);
  return isHost(host) && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** A host name, an IPv4 or an IPv6 address (without brackets). */
export function isHost(text: string): boolean {
  return (
    /^[A-Za-z0-9._-]{1,253}$/.test(text) ||
    /^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?$/.test(text)
  );
}
