import type { OccurrenceKey } from "../application/ports/deduplication-key.ts";
import type { Occurrence } from "../domain/occurrence.ts";

/** The deduplication key of a bare message: by default the first of its content, heard by a node that listened before. */
export function occurrenceKey(
  content: string,
  occurrence: Partial<Occurrence> = {},
  rest: Partial<OccurrenceKey> = {},
): OccurrenceKey {
  return {
    by: "occurrence",
    occurrence: {
      ...{ content, stretch: "server.1.mark", listener: "node", number: 1, before: "other" },
      ...occurrence,
    },
    ...{ reachMs: 5_000, ageMs: 0, retryMs: 60_000, rememberMs: 180_000 },
    ...rest,
  };
}
