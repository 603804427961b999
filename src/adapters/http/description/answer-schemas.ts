import { z } from "zod";
import { DELIVERED } from "../../../domain/delivered-schemas.ts";

const issue = z.looseObject({ path: z.array(z.union([z.string(), z.number()])), message: z.string() });
const event = z.union([DELIVERED.status_update, DELIVERED.result_update, DELIVERED.result, DELIVERED.error]);

/** The bodies of answers and requests that are no events, by their names in the description. */
export const answers = {
  Problem: z.looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().meta({ type: "integer" }),
    code: z.string().meta({ description: "Stable: programs decide by it." }),
    detail: z.string().optional(),
    issues: z.array(issue).optional(),
  }),
  Published: z.looseObject({
    event_ids: z.array(z.string()),
    duplicate: z.boolean(),
    cancel_requested: z.boolean().optional(),
  }),
  CancelAnswer: z.looseObject({ cancel_requested: z.boolean() }),
  EventPage: z.looseObject({
    events: z.array(event),
    frames: z.array(z.looseObject({ event_type: z.string() })).optional(),
    last_event_id: z.string(),
    resumed: z.boolean().nullable(),
  }),
  Viewers: z.object({ viewers: z.union([z.literal("*"), z.array(z.string()).max(1_000)]) }),
  Beat: z.object({ attempt_id: z.string().min(1).max(64).nullish() }),
  CancelWish: z.object({ reason: z.string().max(1_000).nullish() }),
  Alive: z.looseObject({ status: z.literal("alive") }),
  Readiness: z.looseObject({ ready: z.boolean(), reason: z.string().optional() }),
  Health: z.looseObject({
    status: z.enum(["ok", "degraded"]),
    broker: z.looseObject({ status: z.enum(["up", "down"]), kind: z.string() }),
    websocket_stats: z.looseObject({ total_connections: z.number(), active_analyses: z.number() }),
    timestamp: z.string(),
  }),
};

export type AnswerName = keyof typeof answers;
