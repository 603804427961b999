import { Hono } from "hono";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { ReadAnalysis } from "../../application/read-analysis.ts";
import type { ReadEvents } from "../../application/read-events.ts";
import type { OriginPolicy } from "../origin-policy.ts";
import type { SessionServices } from "../session-services.ts";
import { readEventsQuery } from "./events-query.ts";
import { problem } from "./problem.ts";
import { type Reader, readCors, requireReader } from "./read-access.ts";
import { eventStream } from "./sse/event-stream.ts";

/** Reading an analysis over HTTP, under the same rights as watching it. */
export function readRoutes(
  tokens: TokenVerifierPort,
  state: ReadAnalysis,
  events: ReadEvents,
  sessions: SessionServices,
  policy: OriginPolicy,
): Hono<Reader> {
  const routes = new Hono<Reader>();
  const reader = requireReader(tokens, policy);
  routes.use("/:id", readCors(policy));
  routes.use("/:id/events", readCors(policy));

  routes.get("/:id", reader, async (context) => {
    const answer = await state.execute(context.var.analysisId, context.var.grant);
    return answer.type === "not_allowed" ? problem(context, "not_allowed") : context.json(answer.state);
  });

  routes.get("/:id/events", reader, async (context) => {
    if (context.req.header("Accept")?.includes("text/event-stream")) return eventStream(context, sessions);
    const query = readEventsQuery(context.req.query());
    if (!query.ok) return problem(context, "invalid_request", { issues: query.issues });
    const { analysisId, grant } = context.var;
    const abandoned = context.req.raw.signal;
    const answer = await events.execute({ analysisId, grant, ...query.query, abandoned });
    if (answer.type === "not_allowed") return problem(context, "not_allowed");
    const { texts, lastEventId, resumed } = answer;
    // Put together as text: an event is passed on as it was written.
    const rest = JSON.stringify({ last_event_id: lastEventId, resumed }).slice(1);
    return context.body(`{"events":[${texts.join(",")}],${rest}`, 200, {
      "Content-Type": "application/json",
    });
  });

  return routes;
}
