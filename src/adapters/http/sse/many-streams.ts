import { Hono } from "hono";
import type { TokenVerifierPort } from "../../../application/ports/token-verifier-port.ts";
import { parseAnalysisId } from "../../../domain/channel.ts";
import type { OriginPolicy } from "../../../session/origin-policy.ts";
import type { SessionServices } from "../../../session/session-services.ts";
import { SseManySession } from "../../../session/sse-many-session.ts";
import { readWatchQuery } from "../../../session/watch-query.ts";
import { readEventsQuery } from "../events-query.ts";
import { problem } from "../problem.ts";
import { requireWatcher, type Watcher } from "../read-access.ts";
import { streamed } from "./event-stream.ts";
import { SseConnection } from "./sse-connection.ts";

/** The most analyses of one stream. */
const MOST_ANALYSES = 100;

interface ManyStreamParts {
  readonly tokens: TokenVerifierPort;
  readonly origins: OriginPolicy;
  readonly sessions: SessionServices;
}

/** The route of one event stream for many analyses: `?analysis={id}&analysis={id}@{event_id}…&wait={seconds}`. */
export function manyStreamRoutes({ tokens, origins, sessions }: ManyStreamParts): Hono<Watcher> {
  const routes = new Hono<Watcher>();

  routes.get("/", requireWatcher(tokens, origins), async (context) => {
    const named = context.req.queries("analysis") ?? [];
    if (named.length === 0 || named.length > MOST_ANALYSES) {
      const message = `must be there 1 to ${MOST_ANALYSES} times`;
      return problem(context, "invalid_request", { issues: [{ path: ["analysis"], message }] });
    }
    const { last_event_id = "", ...rest } = context.req.query();
    const query = readWatchQuery(new URLSearchParams(rest));
    if (query.faults.length > 0) {
      const issues = query.faults.map(({ message }) => ({ path: [], message }));
      return problem(context, "invalid_query", { issues });
    }
    const read = readEventsQuery({ wait: rest.wait ?? "0" });
    if (!read.ok) return problem(context, "invalid_request", { issues: read.issues });
    const { waitMs } = read.query;
    const { grant, userId } = context.var;
    const lastEventId = context.req.header("Last-Event-ID") || last_event_id;
    const request = { ...query, grant, userId, analyses: named.map(readNamed), lastEventId, waitMs };
    return streamed(context, sessions, (handlers, cut) => {
      const connection: SseConnection = new SseConnection(handlers, cut, () => session.position);
      const session: SseManySession = new SseManySession(connection, request, sessions);
      return [connection, session];
    });
  });

  return routes;
}

/** `{id}`, or `{id}@{event_id}` to go on from a position. A text that begins with no id is refused as it is. */
function readNamed(value: string): { id: string; after: string } {
  const [id = "", ...after] = value.split("@");
  return parseAnalysisId(id) === undefined ? { id: value, after: "" } : { id, after: after.join("@") };
}
