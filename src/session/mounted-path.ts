/** The place of a gateway among the paths of its server. */
export interface MountedPath {
  /** The path before every path of the gateway, as `/telltale`; empty if it has none. Other paths are another application's. */
  readonly path: string;
  /** The gateway answers below this path as well; none if it is empty or left out. */
  readonly basePath?: string;
}

/** The path of a request as the routes know it; undefined if it is none of the gateway's. */
export function routedPath({ path, basePath = "" }: MountedPath, pathname: string): string | undefined {
  const below = pathBelow(path, pathname);
  return below === undefined ? undefined : (pathBelow(basePath, below) ?? below);
}

function pathBelow(prefix: string, pathname: string): string | undefined {
  if (prefix === "") return pathname;
  return pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length) : undefined;
}
