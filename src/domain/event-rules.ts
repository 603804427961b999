import { z } from "zod";
import type { JsonObject, SuspiciousRegion } from "./analysis-event.ts";
import { readTime, TIME_TEXT } from "./event-time.ts";
import { plainId } from "./kombu-value.ts";
import { eachToBounds, ROUNDING } from "./rounding.ts";
import { type AllowedStages, allowedStages, isStageName, STAGES } from "./stages.ts";
import { shortened } from "./utf8.ts";

/** At most so many faults of one body are named: enough to mend it by, and a hostile one stays cheap to refuse. */
export const MAX_ISSUES = 100;

/** The most of an error_code that stands in for a blank error_message. */
const COPIED_BYTES = 1024;

const FRACTION = "must be a number from 0 to 1";
const COUNT = "must be a whole number, 0 or more";
const TEXT = "must be text that is not blank";
const TIME = "must be a time in ISO 8601, with the time of day";
const STAGE_NAME = "must be the name of a stage: 1 to 64 of a-z, 0-9, _, . and -";
const NUMBER = "must be a number of at most 1.8e308, the largest that readers of JSON know";
const HASH = "must be hexadecimal text or null";

/*
 * A rule that zod cannot write as JSON Schema says in its `meta` how the schema has it: see `eventSchema`.
 */

/** The messages are ours, so that none can echo the value it refuses. */
function says(message: string) {
  return { error: (issue: { input?: unknown }) => (issue.input === undefined ? "is required" : message) };
}

// Not overwritten here: a schema that changes numbers costs twice as much, and there are thousands in a result.
const fraction = z
  .number(says(FRACTION))
  .min(-ROUNDING, FRACTION)
  .max(1 + ROUNDING, FRACTION);
// Not z.int(): that one also refuses whole numbers beyond 2^53.
const count = z.number(says(COUNT)).refine(isCount, COUNT).meta({ type: "integer", minimum: 0 });
const text = z.string(says(TEXT)).regex(/\S/, TEXT);
const id = idThat((value) => !isBlank(value), TEXT);
const jsonObject = z
  .custom<JsonObject>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "must be an object or null",
  )
  .meta({ type: "object" });

const time = z
  .unknown()
  .transform((value, context) => {
    const normalised = readTime(value);
    if (normalised !== undefined) return normalised;
    context.addIssue({ code: "custom", message: TIME });
    return z.NEVER;
  })
  .meta({ type: ["string", "number", "object"], ...TIME_TEXT });

const blockchainHash = z
  .string(says(HASH))
  .transform((value, context) => {
    if (isBlank(value)) return null;
    if (/^(?:0x)?[0-9a-f]+$/i.test(value)) return value;
    context.addIssue({ code: "custom", message: HASH });
    return z.NEVER;
  })
  .meta({ pattern: "^(?:\\s*|(?:0[xX])?[0-9a-fA-F]+)$" });

/** The rules of one of `suspicious_regions`. */
export const region = z.object(
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
  let faults = 0;
  for (const [index, value] of values.entries()) {
    const result = region.safeParse(value);
    if (result.success) continue;
    for (const { path, message } of result.error.issues) {
      context.addIssue({ code: "custom", path: [index, ...path], message });
    }
    faults += result.error.issues.length;
    if (faults >= MAX_ISSUES) break;
  }
  return faults === 0 ? eachToBounds(values as SuspiciousRegion[]) : z.NEVER;
});

export const ATTEMPT_ID = "must be text of 1 to 64 characters";
const common = {
  timestamp: z.exactOptional(time),
  attempt_id: z.exactOptional(
    z
      .preprocess(plainId, z.string(says(ATTEMPT_ID)).refine(isAttemptId, ATTEMPT_ID))
      .meta({ type: ["string", "object"], minLength: 1, maxLength: 64 }),
  ),
};

const textOrNull = z.string(says("must be text or null")).nullable().default(null);
const anything = z.exactOptional(z.unknown());

function statusRules(stages: AllowedStages) {
  return z.object({
    event_type: z.literal("status_update"),
    task_id: id,
    progress: fraction,
    current_stage: stageOf(allowedStages(stages)),
    message: text,
    estimated_completion: time.nullable().default(null),
    error: textOrNull,
    current: anything,
    total: anything,
    unit: anything,
    ...common,
  });
}

function stageOf(allowed: AllowedStages) {
  if (allowed === "*") {
    const anyName = z.string(says(STAGE_NAME)).refine(isStageName, STAGE_NAME);
    return anyName.meta({ pattern: "^[a-z0-9_.-]{1,64}$" });
  }
  return z.enum(allowed as string[], says(`must be one of ${allowed.join(", ")}`));
}

/** The rules of every type but status_update, which hold whatever the stages are called. */
const OTHER_RULES = {
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
    .refine((result) => Math.max(0, result.total_frames) >= Math.max(0, result.frames_processed), {
      path: ["total_frames"],
      error: "must not be less than frames_processed",
      // Also when another field is at fault, so that a publisher hears of all faults at once.
      when: ({ value }) => hasBothCounts(value),
    }),
  result: z.object({
    event_type: z.literal("result"),
    data: z
      .unknown()
      .refine((value) => value !== undefined && value !== null, {
        error: ({ input }) => (input === undefined ? "is required" : "must be any value but null"),
      })
      // Most readers of JSON take a larger one for Infinity, and write null in its place.
      .refine((value) => typeof value !== "number" || Number.isFinite(value), NUMBER)
      .meta({ not: { type: "null" } }),
    summary: textOrNull,
    ...common,
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
      isBlank(error.error_message)
        ? { ...error, error_message: shortened(error.error_code, COPIED_BYTES) }
        : error,
    ),
  notice: z.object({
    event_type: z.literal("notice").default("notice"),
    level: z.enum(["info", "warning", "error"], says("must be one of info, warning, error")).default("info"),
    message: text,
    data: jsonObject.nullable().default(null),
    ...common,
  }),
};

export type EventRules = ReturnType<typeof eventRules>;

/**
 * By event_type, everything but `analysis_id`, whose rule needs the channel. `stages` are those of the setting STAGES. To be
 * built once: building costs far more than using.
 */
export function eventRules(stages: AllowedStages) {
  return { status_update: statusRules(stages), ...OTHER_RULES };
}

/** The rules if STAGES is not set. */
export const EVENT_RULES: EventRules = eventRules(STAGES);

/** An id as text, or as kombu writes a UUID. */
function idThat(isGood: (text: string) => boolean, message: string) {
  return z
    .unknown()
    .transform((value, context) => {
      const plain = plainId(value);
      if (typeof plain === "string" && isGood(plain)) return plain;
      context.addIssue({ code: "custom", message: value === undefined ? "is required" : message });
      return z.NEVER;
    })
    .meta({ type: ["string", "object"], pattern: "\\S" });
}

function isBlank(value: string): boolean {
  return !/\S/.test(value);
}

function hasBothCounts(value: unknown): boolean {
  const counts = value as { frames_processed?: unknown; total_frames?: unknown };
  return isCount(counts.frames_processed) && isCount(counts.total_frames);
}

function isCount(value: unknown): boolean {
  const count = value as number;
  return (Number.isInteger(count) && count >= 0) || (count < 0 && count >= -ROUNDING);
}

/** Text of 1 to 64 characters, not UTF-16 units: an emoji counts once. */
export function isAttemptId(value: unknown): value is string {
  if (typeof value !== "string" || value === "") return false;
  return value.length <= 64 || (value.length <= 128 && [...value].length <= 64);
}
