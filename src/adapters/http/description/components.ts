import { z } from "zod";
import { analysisState, DELIVERED, SERVER_FRAMES } from "../../../domain/delivered-schemas.ts";
import type { EventRules } from "../../../domain/event-rules.ts";
import { eventSchema, PUBLISHED_TYPES, type PublishedType } from "../../../domain/event-schema.ts";
import { answers } from "./answer-schemas.ts";

export type Schema = Readonly<Record<string, unknown>>;

/** The name of the schema of a delivered event or a frame, as `StatusUpdate` of `status_update`. */
export function nameOf(eventType: string): string {
  return eventType.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The name of the schema that judges an event which somebody publishes. */
export function publishedNameOf(type: PublishedType): string {
  return `Published${nameOf(type)}`;
}

/** Every schema by its name, made of the rules in force and of the shapes that clients get. JSON Schema 2020-12. */
export function schemas(rules: EventRules): Record<string, Schema> {
  const published = PUBLISHED_TYPES.map((type): [string, Schema] => [
    publishedNameOf(type),
    withCondition(withoutDialect(eventSchema(type, rules))),
  ]);
  const sent = Object.entries({ ...DELIVERED, ...SERVER_FRAMES }).map(([type, schema]): [string, Schema] => [
    nameOf(type),
    schemaOf(schema),
  ]);
  const answered = Object.entries(answers).map(([name, schema]): [string, Schema] => [
    name,
    schemaOf(schema),
  ]);
  const known = new Map(sent.map(([name, schema]) => [JSON.stringify(schema), name]));
  const composed = [["AnalysisStateObject", schemaOf(analysisState)] as const, ...answered];
  return Object.fromEntries([
    ...published,
    ...sent,
    ...composed.map(([name, schema]) => [name, withReferences(schema, known) as Schema]),
  ]);
}

/** Generators of types make too much of alternatives that only require members, and nothing of a condition that says the same. */
function withCondition({ anyOf, ...schema }: Schema): Schema {
  const [first, otherwise] = (anyOf as readonly Schema[] | undefined) ?? [];
  if (first === undefined) return schema;
  // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema.
  return { ...schema, if: { not: first }, then: otherwise };
}

/** Names each part that is a schema of its own, so that generators make one type of it. */
function withReferences(part: unknown, known: ReadonlyMap<string, string>): unknown {
  if (typeof part !== "object" || part === null) return part;
  const name = known.get(JSON.stringify(part));
  if (name !== undefined) return ref(name);
  if (Array.isArray(part)) return part.map((one) => withReferences(one, known));
  return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, withReferences(one, known)]));
}

export function schemaOf(schema: z.ZodType, target: "draft-2020-12" | "draft-7" = "draft-2020-12"): Schema {
  return withoutDialect(z.toJSONSchema(schema, { io: "input", unrepresentable: "any", target }));
}

/** A schema as a part of a document, which names the dialect itself. */
export function withoutDialect({ $schema: _, ...schema }: Schema): Schema {
  return schema;
}

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
