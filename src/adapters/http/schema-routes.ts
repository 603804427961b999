import { Hono } from "hono";
import type { EventRules } from "../../domain/event-rules.ts";
import { eventSchema, PUBLISHED_TYPES, type PublishedType } from "../../domain/event-schema.ts";
import { problem } from "./problem.ts";

/** The JSON Schemas of what may be published here, for editors, checks and code generators. Nobody needs a token. */
export function schemaRoutes({ rules }: { readonly rules: EventRules }): Hono {
  const routes = new Hono();
  const texts = new Map<PublishedType, string>();

  routes.get("/:file", (context) => {
    const type = PUBLISHED_TYPES.find((one) => `${one}.json` === context.req.param("file"));
    if (type === undefined) return problem(context, "not_found");
    const text = texts.get(type) ?? JSON.stringify(eventSchema(type, rules), null, 2);
    texts.set(type, text);
    return context.body(text, 200, { "Content-Type": "application/schema+json" });
  });

  return routes;
}
