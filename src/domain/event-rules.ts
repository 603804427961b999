import { z } from "zod";
import type { JsonObject } from "./analysis-event.ts";
import { readTime } from "./event-time.ts";
import { plainId } from "./kombu-value.ts";
import { STAGES } from "./stages.ts";

/** At most so many faults of one body are named: enough to mend it by, and a hostile one stays cheap to refuse. */
export const MAX_ISSUES = 100;

const FRACTION = "must be a number from 0 to 1";
const COUNT = "must be a whole number, 0 or more";
const TEXT = "must be text that is not blank";
const TIME = "must be a time in ISO 8601, with the time of day";
const HASH = "must be hexadecimal text or null";

/** Messages are ours, so that none can echo the value it refuses. */
function says(message: string) {
  return { error: (issue: { input?: unknown }) => (issue.input === undefined ? "is required" : message) };
}

/** What adding up `1/n` may miss a bound by: a number so little outside is taken as the bound. */
const ROUNDING = 1e-6;

const fraction = z
  .number(says(FRACTION))
  .overwrite((value) => bounded(value, 0, 1))
  .min(0, FRACTION)
  .max(1, FRACTION);
// Not z.int(): that one also refuses whole numbers beyond 2^53.
const count = z
  .number(says(COUNT))
  .overwrite((value) => bounded(value, 0, Number.POSITIVE_INFINITY))
  .refine(isCount, COUNT);
const text = z.string(says(TEXT)).regex(/\S/, TEXT);
const id = z.preprocess(plainId, text);
const jsonObject = z.custom<JsonObject>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "must be an object or null",
);

const time = z.unknown().transform((value, context) => {
  const normalised = readTime(value);
  if (normalised !== undefined) return normalised;
  context.addIssue({ code: "custom", message: TIME });
  return z.NEVER;
});

const blockchainHash = z.string(says(HASH)).transform((value, context) => {
  if (isBlank(value)) return null;
  if (/^(?:0x)?[0-9a-f]+$/i.test(value)) return value;
  context.addIssue({ code: "custom", message: HASH });
  return z.NEVER;
});

const region = z.object(
  {
    frame_number: count,
    x: fraction,
    y: fraction,
    width: fraction,
    height: fraction,
    confidence: fraction,
    region_type: text,
  },
  says("must be an object"),
);

// Not z.array(region): that names every fault of every region, and a megabyte of `[[],[],…` has millions.
const regions = z.array(z.unknown(), says("must be an array")).transform((values, context) => {
  const decoded: z.infer<typeof region>[] = [];
  let faults = 0;
  for (const [index, value] of values.entries()) {
    const result = region.safeParse(value);
    if (result.success) {
      decoded.push(result.data);
      continue;
    }
    for (const { path, message } of result.error.issues) {
      context.addIssue({ code: "custom", path: [index, ...path], message });
    }
    faults += result.error.issues.length;
    if (faults >= MAX_ISSUES) break;
  }
  return faults === 0 ? decoded : z.NEVER;
});

const ATTEMPT = "must be text of 1 to 64 characters";
const common = {
  timestamp: z.exactOptional(time),
  attempt_id: z.exactOptional(z.preprocess(plainId, z.string(says(ATTEMPT)).refine(isAttemptId, ATTEMPT))),
};

/** By event_type, everything but `analysis_id`, whose rule needs the channel. Built once: building costs far more than using. */
export const EVENT_RULES = {
  status_update: z.object({
    event_type: z.literal("status_update"),
    task_id: id,
    progress: fraction,
    current_stage: z.enum(STAGES, says(`must be one of ${STAGES.join(", ")}`)),
    message: text,
    estimated_completion: time.nullable().default(null),
    error: z.string(says("must be text or null")).nullable().default(null),
    ...common,
  }),
  result_update: z
    .object({
      event_type: z.literal("result_update"),
      confidence_score: fraction,
      frames_processed: count,
      total_frames: count,
      is_fake: z.boolean(says("must be true or false")),
      processing_time_ms: count.default(0),
      suspicious_regions: regions.default([]),
      blockchain_hash: blockchainHash.nullable().default(null),
      ...common,
    })
    .refine((result) => result.total_frames >= result.frames_processed, {
      path: ["total_frames"],
      error: "must not be less than frames_processed",
      // Also when another field is at fault, so that a publisher hears of all faults at once.
      when: ({ value }) => hasBothCounts(value),
    }),
  error: z
    .object({
      event_type: z.literal("error"),
      error_code: text,
      error_message: z.string(says(TEXT)),
      error_details: jsonObject.nullable().default(null),
      ...common,
    })
    // A bare `assert` and many a timeout have no text of their own.
    .overwrite((error) =>
      isBlank(error.error_message) ? { ...error, error_message: error.error_code } : error,
    ),
  notice: z.object({
    event_type: z.literal("notice").default("notice"),
    level: z.enum(["info", "warning", "error"], says("must be one of info, warning, error")).default("info"),
    message: text,
    data: jsonObject.nullable().default(null),
    ...common,
  }),
};

function bounded(value: number, least: number, most: number): number {
  if (value < least) return value >= least - ROUNDING ? least : value;
  return value > most && value <= most + ROUNDING ? most : value;
}

function isBlank(value: string): boolean {
  return !/\S/.test(value);
}

function hasBothCounts(value: unknown): boolean {
  const counts = value as { frames_processed?: unknown; total_frames?: unknown };
  return isCount(counts.frames_processed) && isCount(counts.total_frames);
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}

/** Text of 1 to 64 characters, not UTF-16 units: an emoji counts once. */
export function isAttemptId(value: unknown): value is string {
  if (typeof value !== "string" || value === "") return false;
  return value.length <= 64 || (value.length <= 128 && [...value].length <= 64);
}
