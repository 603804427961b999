import { z } from "zod";

/** A runner's report of its client. */
const report = z.object({
  snapshot: z.object({
    connection: z.looseObject({
      status: z.enum(["connecting", "live", "waiting", "refused", "finished", "closed"]),
      transport: z.string().optional(),
      code: z.number().optional(),
      reason: z.string().optional(),
      retry_in_seconds: z.number().optional(),
    }),
    /** This and what follows is left out by a client that folds nothing. */
    analysis: z.record(z.string(), z.unknown()).nullable().optional(),
    stalled: z.boolean().optional(),
    cancel_requested: z.record(z.string(), z.unknown()).nullable().optional(),
  }),
  /** Those since the last report. */
  events: z.array(z.looseObject({ event_type: z.string() })).default([]),
  over: z
    .union([z.enum(["finished", "closed"]), z.object({ refused: z.number() })])
    .nullable()
    .default(null),
  cancel: z
    .union([z.literal("taken"), z.object({ refused: z.string() })])
    .nullable()
    .default(null),
});
export type Report = z.infer<typeof report>;

/** All that the client has told so far. */
export interface Told {
  readonly report: Report;
  readonly events: readonly Report["events"][number][];
}

/** Throws if it is no report. */
export function parseReport(value: unknown): Report {
  return report.parse(value);
}
