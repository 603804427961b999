import { PUBLISHED_TYPES } from "../../../domain/event-schema.ts";
import { WATCH_VALUES } from "../../../session/watch-query.ts";
import { EVENTS_QUERY } from "../events-query.ts";
import { type Schema, schemaOf } from "./components.ts";

/** A parameter of an operation, as OpenAPI has it. */
export interface Parameter {
  readonly name: string;
  readonly in: "query" | "header" | "path";
  readonly required?: boolean;
  readonly description: string;
  readonly schema: Schema;
}

const TEXT = { type: "string" };

const query = (name: string, description: string, schema: Schema): Parameter => ({
  name,
  in: "query",
  description,
  schema,
});
const values = (name: keyof typeof WATCH_VALUES): Schema => ({ type: "string", enum: WATCH_VALUES[name] });

export const ANALYSIS_ID: Parameter = {
  name: "id",
  in: "path",
  required: true,
  description: "The analysis, a UUID of any version.",
  schema: { type: "string", format: "uuid" },
};

export const EVENT_TYPE: Parameter = {
  name: "file",
  in: "path",
  required: true,
  description: "The event_type and `.json`.",
  schema: { type: "string", enum: PUBLISHED_TYPES.map((type) => `${type}.json`) },
};

export const IDEMPOTENCY_KEY: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "A repeated request with the same key answers the first event_ids and stores nothing, for five minutes.",
  schema: { type: "string", minLength: 1, maxLength: 200 },
};

export const LAST_EVENT_ID: Parameter = {
  name: "Last-Event-ID",
  in: "header",
  description: "The position to go on from, of a stream alone; a browser sends it by itself.",
  schema: TEXT,
};

export const AFTER = query(
  "after",
  "The position to read on from; without it from the oldest event kept.",
  TEXT,
);
export const LIMIT = query("limit", "At most so many events.", { type: "integer", ...bounds("limit") });
export const WAIT = query("wait", "Seconds to wait for the first new event.", {
  type: "integer",
  ...bounds("wait"),
});
export const STREAM_WAIT = query("wait", "The stream ends after its first news, or after so many seconds.", {
  type: "integer",
  ...bounds("wait"),
});
export const ANALYSES: Parameter = {
  ...query("analysis", "An analysis, or `{id}@{event_id}` to go on from a position of its own.", {
    type: "array",
    minItems: 1,
    maxItems: 100,
    items: TEXT,
  }),
  required: true,
};

/** The query of everything that watches. */
export const WATCHING: readonly Parameter[] = [
  query("last_event_id", "The position to go on from.", TEXT),
  query("replay", "What comes first, if no good position was given; `latest` by default.", values("replay")),
  query(
    "conflate",
    "Whether a slow client may miss a status if a newer one waits; `status` by default.",
    values("conflate"),
  ),
  query("until", "`terminal`: ends with the analysis.", values("until")),
  query("markers", "`1`: `caught_up` ends each replay, and heartbeats have a position.", values("markers")),
  query("resume", "`strict`: a position that is gone is refused.", values("resume")),
];

/** The bounds of a number in the query, from the rule that judges it. */
function bounds(name: "limit" | "wait"): Schema {
  const { minimum = 0, maximum } = schemaOf(EVENTS_QUERY[name]);
  return { minimum, maximum };
}
