import { PUBLISHED_TYPES } from "../../../domain/event-schema.ts";
import { publishedNameOf, ref } from "./components.ts";
import { type Answer, BROKER, json, type Operation, STORING } from "./operation.ts";
import { IDEMPOTENCY_KEY } from "./parameters.ts";

const ofAnalysis = PUBLISHED_TYPES.filter((type) => type !== "notice").map((type) =>
  ref(publishedNameOf(type)),
);
const oneOrMany = {
  oneOf: [{ anyOf: ofAnalysis }, { type: "array", minItems: 1, maxItems: 500, items: { anyOf: ofAnalysis } }],
};
const PUBLISHED: Answer = {
  description: "Stored, and on its way to every watcher.",
  content: json("Published"),
};
const notice = {
  allOf: [
    ref("PublishedNotice"),
    { type: "object", properties: { user_id: { type: "string", minLength: 1 } } },
  ],
};

export const PUBLISHING: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/analyses/{id}/events",
    id: "publishEvents",
    tag: "Publishing",
    needs: "analysis:publish",
    summary: "Publishes one event, or 1 to 500 of them, all or none.",
    parameters: [IDEMPOTENCY_KEY],
    body: { schema: oneOrMany, required: true },
    answers: { 202: PUBLISHED },
    problems: [
      ...STORING,
      "not_an_analysis_id",
      "attempt_superseded",
      "attempt_ended",
      "invalid_event",
      "invalid_idempotency_key",
    ],
  },
  {
    method: "put",
    path: "/v1/analyses/{id}",
    id: "declareViewers",
    tag: "Publishing",
    needs: "analysis:publish",
    summary: "Declares who may watch an analysis.",
    body: { schema: ref("Viewers"), required: true },
    answers: { 204: { description: "In force, at once for new watchers." } },
    problems: [...STORING, "not_an_analysis_id", "invalid_viewers"],
  },
  {
    method: "post",
    path: "/v1/analyses/{id}/heartbeat",
    id: "signOfLife",
    tag: "Publishing",
    needs: "analysis:publish",
    summary:
      "Says that the worker is alive, without an event. A run that another has replaced counts for nothing.",
    body: { schema: ref("Beat"), required: false },
    answers: { 200: { description: "Heard.", content: json("CancelAnswer") } },
    problems: [
      "unauthenticated",
      "scope_missing",
      "not_allowed",
      "not_an_analysis_id",
      "not_json",
      "invalid_request",
      "outcome_unknown",
      ...BROKER,
    ],
  },
  {
    method: "post",
    path: "/v1/notices",
    id: "publishNotice",
    tag: "Publishing",
    needs: "notice:publish",
    summary: "Publishes a notice to one user, or without `user_id` to everybody.",
    parameters: [IDEMPOTENCY_KEY],
    body: { schema: notice, required: true },
    answers: { 202: PUBLISHED },
    problems: [...STORING, "invalid_event", "invalid_idempotency_key"],
  },
];
