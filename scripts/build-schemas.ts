import { EVENT_RULES } from "../src/domain/event-rules.ts";
import { eventSchema, PUBLISHED_TYPES } from "../src/domain/event-schema.ts";

/** `npm run build:schemas` writes the schemas of the events into the package for Python, which judges events by them. */
export const SHIPPED_SCHEMAS = new URL("../clients/python/telltale_client/schemas.json", import.meta.url);

/** The schemas that a gateway with the nine stages of the contract serves, by event type. */
export function shippedSchemas(): Record<string, object> {
  return Object.fromEntries(PUBLISHED_TYPES.map((type) => [type, eventSchema(type, EVENT_RULES)]));
}

if (import.meta.main) await Bun.write(SHIPPED_SCHEMAS, JSON.stringify(shippedSchemas()));
