import { type Context, Hono } from "hono";
import type { AccessPolicy } from "../../application/access-policy.ts";
import type { BroadcastAnswer, BroadcastEvent } from "../../application/broadcast-event.ts";
import type { DeclareViewers } from "../../application/declare-viewers.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import { analysisChannel } from "../../domain/channel.ts";
import { problem } from "./problem.ts";
import { idempotencyKey, requestText } from "./request-text.ts";
import { type Publisher, requirePublisher, requireScope } from "./require-scope.ts";

export interface PublishParts {
  readonly tokens: TokenVerifierPort;
  readonly access: AccessPolicy;
  readonly broadcast: BroadcastEvent;
  readonly declareViewers: DeclareViewers;
}

/** The routes on which a worker or its backend publishes events of one analysis and declares who may watch it. */
export function publishRoutes({ tokens, access, broadcast, declareViewers }: PublishParts): Hono<Publisher> {
  const routes = new Hono<Publisher>();
  // Access is judged before the body is read.
  const scope = requireScope(tokens, "analysis:publish");
  const publisher = requirePublisher(access);

  routes.post("/:id/events", scope, publisher, async (context) => {
    const idempotency = idempotencyKey(context);
    if (!idempotency.ok) return problem(context, "invalid_idempotency_key");
    const text = await requestText(context);
    if (text === undefined) return problem(context, "not_json");
    const channel = analysisChannel(context.var.analysisId);
    return answer(context, await broadcast.execute(channel, text, idempotency.key));
  });

  routes.put("/:id", scope, publisher, async (context) => {
    const text = await requestText(context);
    if (text === undefined) return problem(context, "not_json");
    const outcome = await declareViewers.execute(context.var.analysisId, text);
    if (outcome.type === "declared") return context.body(null, 204);
    if (outcome.reason === "not_json") return problem(context, "not_json");
    return problem(context, "invalid_viewers", { issues: outcome.issues });
  });

  return routes;
}

/** Answers a request that published events or a notice. */
export function answer(context: Context, outcome: BroadcastAnswer): Response {
  switch (outcome.type) {
    case "stored": {
      const { eventIds, duplicate, cancelRequested } = outcome;
      // Undefined is left out.
      return context.json({ event_ids: eventIds, duplicate, cancel_requested: cancelRequested }, 202);
    }
    case "refused":
      return problem(context, outcome.code, { detail: `event ${outcome.index}` });
    case "invalid":
      if (outcome.reason === "not_json") return problem(context, "not_json");
      return problem(context, INVALID[outcome.reason], { issues: outcome.issues });
  }
}

/** The code of the problem for events that were not stored because of what they are. */
export const INVALID = {
  not_json: "not_json",
  too_large: "event_too_large",
  invalid: "invalid_event",
} as const;
