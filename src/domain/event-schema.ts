import { z } from "zod";
import type { JsonObject } from "./analysis-event.ts";
import { type EventRules, region } from "./event-rules.ts";

/** The event types that somebody may publish. */
export const PUBLISHED_TYPES = ["status_update", "result_update", "result", "error", "notice"] as const;

export type PublishedType = (typeof PUBLISHED_TYPES)[number];

const UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/**
 * The JSON Schema (draft 2020-12) of an event as a publisher sends it, made of the rules that judge it. The rules refuse everything
 * that the schema refuses, but for numbers that rounding put outside their bound. They refuse a little more: counts that contradict
 * each other, times that no calendar has, objects that are no value of kombu's.
 */
export function eventSchema(type: PublishedType, rules: EventRules): JsonObject {
  const schema = schemaOf(rules[type]);
  const properties = { ...(schema.properties as Record<string, object>) };
  if (type !== "notice") properties.analysis_id = { type: ["string", "object"], pattern: UUID };
  if (type === "result_update")
    properties.suspicious_regions = { ...properties.suspicious_regions, items: schemaOf(region, "part") };
  return { ...schema, title: type, properties, ...requiredOf(type, schema.required as readonly string[]) };
}

/** Progress may be left out if there are counts. */
function requiredOf(type: PublishedType, required: readonly string[]): JsonObject {
  if (type !== "status_update") return { required };
  return {
    required: required.filter((name) => name !== "progress"),
    anyOf: [
      { required: ["progress"] },
      {
        required: ["current", "total"],
        properties: {
          current: { type: "number", minimum: 0 },
          total: { type: "number", exclusiveMinimum: 0 },
        },
      },
    ],
  };
}

function schemaOf(rules: z.ZodType, part?: "part"): JsonObject {
  const { $schema, ...schema } = z.toJSONSchema(rules, { io: "input", unrepresentable: "any" });
  return part === undefined ? { $schema, ...schema } : schema;
}
