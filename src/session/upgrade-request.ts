import { isHostHeader } from "./addressed-request.ts";
import { cookiesCount, isOriginAllowed, type OriginPolicy } from "./origin-policy.ts";
import { offersProtocol, presentedToken } from "./presented-token.ts";
import { readSocketQuery, readWatchQuery } from "./watch-query.ts";
import type { WatchIntent } from "./watch-session.ts";

/** `/ws/analysis/{id}`, or `/ws` without one. */
const PATH = /^\/ws(?:\/analysis\/([^/]*))?\/?$/;
/** The one subprotocol that is echoed; a token offered beside it never is. */
const PROTOCOL = "telltale.v1";

/** What a WebSocket upgrade asks for; undefined where the request is none, or is for another path. */
export function readUpgrade(
  request: Request,
  policy: OriginPolicy,
): { intent: WatchIntent; headers: Headers } | undefined {
  const { headers } = request;
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
  const host = headers.get("host");
  const url = isHostHeader(host) ? URL.parse(request.url) : null;
  const path = url === null ? null : PATH.exec(url.pathname);
  if (url === null || path === null) return undefined;
  const [, id] = path;
  const origin = headers.get("origin");
  const protocols = headers.get("sec-websocket-protocol");
  const originAllowed = isOriginAllowed(origin, host, policy);
  const token = presentedToken({
    query: url.searchParams.getAll("token"),
    authorization: headers.get("authorization"),
    protocols,
    cookie: headers.get("cookie"),
    cookieTrusted: origin !== null && originAllowed && cookiesCount(policy),
  });
  const answer = new Headers();
  // Bun echoes the first one offered, a token included, if the upgrade says nothing; an empty value sends none.
  answer.set("Sec-WebSocket-Protocol", offersProtocol(protocols, PROTOCOL) ? PROTOCOL : "");
  const query = id === undefined ? readSocketQuery(url.searchParams) : readWatchQuery(url.searchParams);
  const analysisId = id === undefined ? null : decoded(id);
  return { intent: { analysisId, token, originAllowed, ...query }, headers: answer };
}

/** The id as it is meant, `%61` for `a`: what cannot be read is no id and stays as it is. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) return segment;
    throw error;
  }
}
