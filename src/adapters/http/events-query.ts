import { z } from "zod";
import type { Issue } from "../../domain/decode-event.ts";
import { type GivenPosition, readPosition } from "../../domain/event-position.ts";

const wholeNumber = z
  .string()
  .regex(/^\d{1,9}$/, "must be a whole number")
  .transform(Number);

/** The numbers that a request for events may have. */
export const EVENTS_QUERY = {
  limit: z.number().min(1, "must be 1 or more").max(1_000, "must be 1,000 or less"),
  wait: z.number().max(60, "must be 60 or less"),
};

const eventsQuery = z.object({
  after: z.string().optional().transform(readPosition),
  limit: wholeNumber.pipe(EVENTS_QUERY.limit).default(100),
  resume: z.enum(["strict", ""], "must be strict").optional(),
  wait: wholeNumber.pipe(EVENTS_QUERY.wait).default(0),
});

interface EventsQuery {
  readonly after: GivenPosition | undefined;
  readonly limit: number;
  readonly waitMs: number;
  /** Whether a position that is gone is refused. */
  readonly strict: boolean;
}

/** Reads `after`, `limit`, `resume` and `wait` (seconds) of a request for events. */
export function readEventsQuery(
  query: Readonly<Record<string, string>>,
): { ok: true; query: EventsQuery } | { ok: false; issues: Issue[] } {
  const read = eventsQuery.safeParse(query);
  if (!read.success) {
    return {
      ok: false,
      issues: read.error.issues.map(({ path, message }) => ({ path: path.map(String), message })),
    };
  }
  const { after, limit, wait, resume } = read.data;
  return { ok: true, query: { after, limit, waitMs: wait * 1000, strict: resume === "strict" } };
}
