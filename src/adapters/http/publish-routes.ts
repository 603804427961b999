import { type Context, Hono } from "hono";
import type { BroadcastAnswer, BroadcastEvent } from "../../application/broadcast-event.ts";
import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import { analysisChannel, parseAnalysisId } from "../../domain/channel.ts";
import { nestingOf, TOO_DEEP } from "../../domain/json-nesting.ts";
import { problem } from "./problem.ts";
import { idempotencyKey, parsedJson, requestText } from "./request-text.ts";
import { type Granted, requireScope } from "./require-scope.ts";
import { readViewers } from "./viewers-body.ts";

/** What a worker or its backend does with one analysis: publish events, say who may watch. */
export function publishRoutes(
  tokens: TokenVerifierPort,
  broadcast: BroadcastEvent,
  pubSub: PubSubPort,
): Hono<Granted> {
  const routes = new Hono<Granted>();

  routes.post("/:id/events", requireScope(tokens, "analysis:publish"), async (context) => {
    const id = parseAnalysisId(context.req.param("id"));
    if (id === undefined) return problem(context, "not_an_analysis_id");
    if (!context.var.grant.mayPublishTo(id)) return problem(context, "not_allowed");
    const idempotency = idempotencyKey(context);
    if (!idempotency.ok) return problem(context, "invalid_idempotency_key");
    const text = await requestText(context);
    if (text === undefined) return problem(context, "not_json");
    return answer(context, await broadcast.execute(analysisChannel(id), text, idempotency.key));
  });

  routes.put("/:id", requireScope(tokens, "analysis:publish"), async (context) => {
    const id = parseAnalysisId(context.req.param("id"));
    if (id === undefined) return problem(context, "not_an_analysis_id");
    if (!context.var.grant.mayPublishTo(id)) return problem(context, "not_allowed");
    const text = await requestText(context);
    if (text === undefined) return problem(context, "not_json");
    const nesting = nestingOf(text);
    if (nesting.type === "too_deep") {
      return problem(context, "invalid_viewers", { issues: [{ path: nesting.path, message: TOO_DEEP }] });
    }
    const value = nesting.type === "unclosed" ? undefined : parsedJson(text);
    if (value === undefined) return problem(context, "not_json");
    const read = readViewers(value);
    if (!read.ok) return problem(context, "invalid_viewers", { issues: read.issues });
    await pubSub.declareViewers(analysisChannel(id), read.viewers);
    return context.body(null, 204);
  });

  return routes;
}

/** The answer to a publish, the same for events and notices. */
export function answer(context: Context, outcome: BroadcastAnswer): Response {
  switch (outcome.type) {
    case "stored":
      return context.json({ event_ids: outcome.eventIds, duplicate: outcome.duplicate }, 202);
    case "refused":
      return problem(context, outcome.code, { detail: `event ${outcome.index}` });
    case "invalid":
      if (outcome.reason === "not_json") return problem(context, "not_json");
      if (outcome.reason === "too_large") return problem(context, "event_too_large");
      return problem(context, "invalid_event", { issues: outcome.issues });
  }
}
