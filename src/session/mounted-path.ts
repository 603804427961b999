/** The path of a request below `prefix` (`/telltale`, or empty for none); undefined if it is another path. */
export function pathBelow(prefix: string, pathname: string): string | undefined {
  if (prefix === "") return pathname;
  return pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length) : undefined;
}
