import { Hono } from "hono";
import type { AccessPolicy } from "../../application/access-policy.ts";
import type { CancelAnalysis } from "../../application/cancel-analysis.ts";
import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import { readBeat } from "../../domain/beat.ts";
import { analysisChannel, parseAnalysisId } from "../../domain/channel.ts";
import { problem } from "./problem.ts";
import { requestText } from "./request-text.ts";
import { type Publisher, requirePublisher, requireScope } from "./require-scope.ts";

export interface WorkerParts {
  readonly tokens: TokenVerifierPort;
  readonly access: AccessPolicy;
  readonly pubSub: PubSubPort;
  readonly cancel: CancelAnalysis;
}

/** The routes by which a watcher asks a worker to end an analysis, and by which a worker says that it is alive. */
export function workerRoutes({ tokens, access, pubSub, cancel }: WorkerParts): Hono<Publisher> {
  const routes = new Hono<Publisher>();

  routes.post("/:id/cancel", requireScope(tokens, "analysis:cancel"), async (context) => {
    const id = parseAnalysisId(context.req.param("id"));
    if (id === undefined) return problem(context, "not_an_analysis_id");
    const text = await requestText(context);
    if (text === undefined) return problem(context, "not_json");
    const outcome = await cancel.execute(id, context.var.grant, text);
    switch (outcome.type) {
      case "requested":
        return context.json({ cancel_requested: true }, 202);
      case "ended":
        return problem(context, "already_ended");
      case "not_kept":
        return problem(context, "not_implemented");
      case "invalid":
        if (outcome.reason === "not_json") return problem(context, "not_json");
        return problem(context, "invalid_request", { issues: outcome.issues });
      default:
        return problem(context, outcome.type);
    }
  });

  const scope = requireScope(tokens, "analysis:publish");
  routes.post("/:id/heartbeat", scope, requirePublisher(access), async (context) => {
    const text = await requestText(context);
    if (text === undefined) return problem(context, "not_json");
    const beat = readBeat(text);
    if (!beat.ok) return problem(context, beat.code, "issues" in beat ? { issues: beat.issues } : {});
    const answer = await pubSub.signOfLife?.(analysisChannel(context.var.analysisId), beat.attemptId);
    return context.json({ cancel_requested: answer?.cancelRequested ?? false }, 200);
  });

  return routes;
}
