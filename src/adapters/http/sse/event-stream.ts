import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { Frame } from "../../../application/ports/client-connection-port.ts";
import { retryAfterReason } from "../../../domain/close-code.ts";
import { REFUSALS } from "../../../session/admission.ts";
import type { Watched } from "../../../session/session.ts";
import type { SessionServices } from "../../../session/session-services.ts";
import { SseSession } from "../../../session/sse-session.ts";
import type { StreamSession } from "../../../session/stream-session.ts";
import { readWatchQuery } from "../../../session/watch-query.ts";
import { problem, refused } from "../problem.ts";
import { type Reader, requestBindings } from "../read-access.ts";
import { someRetryMs, sseClosing } from "./sse-block.ts";
import { SseConnection, type StreamHandlers } from "./sse-connection.ts";

const STREAM_TYPE = "text/event-stream";
const PAGE_TYPE = "application/json";

/** The headers of every stream of events. */
export const SSE_HEADERS = {
  "Content-Type": STREAM_TYPE,
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};

/** Answers a reader with a stream of events, or with the status that says why there is none. */
export async function eventStream(context: Context<Reader>, services: SessionServices): Promise<Response> {
  const { analysisId, grant, userId } = context.var;
  const query = readWatchQuery(queryOf(context));
  if (query.faults.length > 0) {
    const issues = query.faults.map(({ message }) => ({ path: [], message }));
    return problem(context, "invalid_query", { issues });
  }
  return streamed(context, services, (handlers, cut) => {
    const connection = new SseConnection(handlers, cut);
    return [connection, new SseSession(connection, { ...query, analysisId, grant, userId }, services)];
  });
}

/** Opens a session and answers with its stream, or with the status that says why there is none. */
export async function streamed(
  context: Context,
  services: SessionServices,
  open: (handlers: StreamHandlers, cut: () => void) => readonly [SseConnection, AnySession],
): Promise<Response> {
  const { cut = () => {} } = requestBindings(context);
  const handlers = {
    drained: () => session.drained(),
    left: () => session.left(),
    sent: (frame: Frame) => session.sent(frame),
  };
  const [connection, session] = open(handlers, cut);
  const answer = await session.opened();
  if (answer.type === "nothing_left") return context.body(null, 204);
  const isDraining = answer.type === "refused" && answer.code === "going_away";
  if (answer.type === "refused" && !isDraining) return refused(context, answer.code);
  for (const [name, value] of Object.entries(SSE_HEADERS)) context.header(name, value);
  return context.body(isDraining ? comeBack(services) : connection.stream, 200);
}

type AnySession = Pick<StreamSession<Watched>, "opened" | "drained" | "left" | "sent">;

/**
 * The stream of a gateway that drains: it ends at once, with the time to come back. A page that is answered by a status
 * other than 200 never comes back by itself.
 */
function comeBack({ refusals }: SessionServices): string {
  refusals.note("going_away", { transport: "sse" });
  return sseClosing(REFUSALS.going_away.code.code, retryAfterReason(someRetryMs()));
}

/** Whether the client asks for a stream of events by name, in any case, and not with `q=0`; else it gets a page. */
export function wantsStream(context: Context): boolean {
  const type = accepts(context, {
    header: "Accept",
    supports: [STREAM_TYPE, PAGE_TYPE],
    default: PAGE_TYPE,
    match: (types) =>
      types.some(({ type, q }) => q > 0 && type.toLowerCase() === STREAM_TYPE) ? STREAM_TYPE : PAGE_TYPE,
  });
  return type === STREAM_TYPE;
}

/** The query with the position that the browser sends by itself when it comes back, in place of the page's own. */
function queryOf(context: Context): URLSearchParams {
  const query = new URLSearchParams(context.req.query());
  const lastEventId = context.req.header("Last-Event-ID");
  if (lastEventId) query.set("last_event_id", lastEventId);
  return query;
}
