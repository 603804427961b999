import { Hono } from "hono";
import { stateText } from "../../application/folded-state.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { ReadAnalysis, StateAnswer } from "../../application/read-analysis.ts";
import type { ReadEvents } from "../../application/read-events.ts";
import type { OriginPolicy } from "../../session/origin-policy.ts";
import type { SessionServices } from "../../session/session-services.ts";
import { WaitingRead } from "../../session/waiting-read.ts";
import { readEventsQuery } from "./events-query.ts";
import { problem, refused } from "./problem.ts";
import { type Reader, requireReader } from "./read-access.ts";
import { eventStream, wantsStream } from "./sse/event-stream.ts";

const JSON_TYPE = { "Content-Type": "application/json" };

export interface ReadParts {
  readonly tokens: TokenVerifierPort;
  readonly read: ReadAnalysis;
  readonly readEvents: ReadEvents;
  readonly sessions: SessionServices;
  readonly origins: OriginPolicy;
  /** Aborted when the gateway drains: no read waits any longer. */
  readonly leaving: AbortSignal;
}

/** The routes to read an analysis over HTTP, with the same rights as watching it. */
export function readRoutes({
  tokens,
  read,
  readEvents,
  sessions,
  origins,
  leaving,
}: ReadParts): Hono<Reader> {
  const routes = new Hono<Reader>();
  const reader = requireReader(tokens, origins);

  routes.get("/:id", reader, async (context) => {
    const { analysisId, grant } = context.var;
    const answer = await read.execute({ analysisId, grant, abandoned: context.req.raw.signal });
    if (answer.type !== "state") return refused(context, answer.type);
    return context.body(stateBody(answer), 200, JSON_TYPE);
  });

  routes.get("/:id/events", reader, async (context) => {
    if (wantsStream(context)) return eventStream(context, sessions);
    const query = readEventsQuery(context.req.query());
    if (!query.ok) return problem(context, "invalid_query", { issues: query.issues });
    const { analysisId, grant, userId } = context.var;
    const gone = context.req.raw.signal;
    const waits = query.query.waitMs > 0;
    // A drain ends only waiting reads: any other read is soon answered.
    const abandoned = waits ? AbortSignal.any([gone, leaving]) : gone;
    const request = { analysisId, ...query.query, abandoned };
    const answer = waits
      ? await new WaitingRead(crypto.randomUUID(), sessions).answer(readEvents, { grant, userId }, request)
      : await readEvents.execute({ ...request, grant });
    if (answer.type === "refused") return refused(context, answer.code);
    if (answer.type !== "events") return refused(context, answer.type);
    const { texts, lastEventId, resumed, frames } = answer;
    // The answer is put together as text, so that each event is passed on as it was written.
    const rest = JSON.stringify({ last_event_id: lastEventId, resumed }).slice(1);
    const told = frames.length === 0 ? "" : `"frames":[${frames.join(",")}],`;
    return context.body(`{"events":[${texts.join(",")}],${told}${rest}`, 200, JSON_TYPE);
  });

  return routes;
}

const stateBodies = new WeakMap<StateAnswer, Blob>();

/** The answer is encoded once for all readers who share it. The server sends a `Blob` without copying it. */
function stateBody(answer: StateAnswer): ReadableStream {
  const body = stateBodies.get(answer) ?? new Blob([stateText(answer)]);
  stateBodies.set(answer, body);
  // A `Response` takes it, but hono's types do not know.
  return body as unknown as ReadableStream;
}
