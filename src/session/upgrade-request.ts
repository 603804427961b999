import { type MountedPath, routedPath } from "./mounted-path.ts";
import { cookiesCount, isHostHeader, isOriginAllowed, type OriginPolicy } from "./origin-policy.ts";
import { offersProtocol, type PresentedToken, presentedToken } from "./presented-token.ts";
import { readSocketQuery, readWatchQuery } from "./watch-query.ts";
import type { WatchIntent } from "./web-socket-session.ts";

interface UpgradeRequest {
  readonly intent: WatchIntent;
  /** The subprotocol to accept, never a token that a client offers as one; undefined: accept none. */
  readonly protocol: "telltale.v1" | undefined;
}

/** `/ws/analysis/{id}`, or `/ws` without one. */
const PATH = /^\/ws(?:\/analysis\/([^/]*))?\/?$/;
const PROTOCOL = "telltale.v1";

/** How the application that embeds the gateway serves a request. */
export interface Embedding extends MountedPath {
  /** The client, if the application that embeds the gateway says who it is; else the request itself says so. */
  readonly presented: PresentedToken | undefined;
}

const NOT_EMBEDDED: Embedding = { path: "", presented: undefined };

/** Reads a request for a WebSocket. Undefined if the request asks for none, or for another path. */
export function readUpgrade(
  request: Request,
  policy: OriginPolicy,
  { presented, ...mounted }: Embedding = NOT_EMBEDDED,
): UpgradeRequest | undefined {
  const { headers } = request;
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
  const host = headers.get("host");
  const url = isHostHeader(host) ? URL.parse(request.url) : null;
  const path = url === null ? null : PATH.exec(routedPath(mounted, url.pathname) ?? "");
  if (url === null || path === null) return undefined;
  const [, id] = path;
  const origin = headers.get("origin");
  const protocols = headers.get("sec-websocket-protocol");
  const originAllowed = isOriginAllowed(origin, host, policy);
  const token =
    presented ??
    presentedToken({
      query: url.searchParams.getAll("token"),
      authorization: headers.get("authorization"),
      protocols,
      cookie: headers.get("cookie"),
      cookieTrusted: origin !== null && originAllowed && cookiesCount(policy),
    });
  const query = id === undefined ? readSocketQuery(url.searchParams) : readWatchQuery(url.searchParams);
  const analysisId = id === undefined ? null : decoded(id);
  return {
    intent: { analysisId, token, originAllowed, ...query },
    protocol: offersProtocol(protocols, PROTOCOL) ? PROTOCOL : undefined,
  };
}

/** The id with its percent-encoding decoded, `%61` to `a`. An id that cannot be decoded stays as it is. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) return segment;
    throw error;
  }
}
