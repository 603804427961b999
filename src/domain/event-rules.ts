import { z } from "zod";
import type { JsonObject } from "./analysis-event.ts";
import { readTime } from "./event-time.ts";
import { plainId } from "./kombu-value.ts";
import { STAGES } from "./stages.ts";
import { shortened } from "./utf8.ts";

/** At most so many faults of one body are named: enough to mend it by, and a hostile one stays cheap to refuse. */
export const MAX_ISSUES = 100;

/** The most of an error_code that stands in for a blank error_message. */
const COPIED_BYTES = 1024;

const FRACTION = "must be a number from 0 to 1";
const COUNT = "must be a whole number, 0 or more";
const TEXT = "must be text that is not blank";
const TIME = "must be a time in ISO 8601, with the time of day";
const HASH = "must be hexadecimal text or null";

/** The messages are ours, so that none can echo the value it refuses. */
function says(message: string) {
  return { error: (issue: { input?: unknown }) => (issue.input === undefined ? "is required" : message) };
}

/** A sum of `1/n` may miss a bound by so much: `toBounds` takes a number so little outside as the bound. */
const ROUNDING = 1e-6;

// Not overwritten here: a schema that changes numbers costs twice as much, and there are thousands in a result.
const fraction = z
  .number(says(FRACTION))
  .min(-ROUNDING, FRACTION)
  .max(1 + ROUNDING, FRACTION);
// Not z.int(): that one also refuses whole numbers beyond 2^53.
const count = z.number(says(COUNT)).refine(isCount, COUNT);
const text = z.string(says(TEXT)).regex(/\S/, TEXT);
const id = idThat((value) => !isBlank(value), TEXT);
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

type Region = z.infer<typeof region>;

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
  return faults === 0 ? eachToBounds(values as Region[]) : z.NEVER;
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
    .refine((result) => Math.max(0, result.total_frames) >= Math.max(0, result.frames_processed), {
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

/** An event that passed its rules, with each number that rounding put outside its bound on it; itself if none is. */
export function toBounds<Event extends object>(event: Event): Event {
  return withinBounds(event, EVENT_NUMBERS);
}

function eachToBounds(regions: Region[]): Region[] {
  return regions.every(isInside)
    ? regions
    : regions.map((each) => (isInside(each) ? each : withinBounds(each, REGION_NUMBERS)));
}

/** Spelled out, because a result has thousands of these numbers and hardly ever one outside. */
function isInside({ frame_number, x, y, width, height, confidence }: Region): boolean {
  const least = Math.min(frame_number, x, y, width, height, confidence);
  return least >= 0 && Math.max(x, y, width, height, confidence) <= 1;
}

/** By name, the upper bound; the lower one is 0. */
type Bounds = readonly (readonly [name: string, most: number])[];

const EVENT_NUMBERS: Bounds = [
  ["progress", 1],
  ["confidence_score", 1],
  ["frames_processed", Number.POSITIVE_INFINITY],
  ["total_frames", Number.POSITIVE_INFINITY],
  ["processing_time_ms", Number.POSITIVE_INFINITY],
];
const REGION_NUMBERS: Bounds = [
  ["frame_number", Number.POSITIVE_INFINITY],
  ["x", 1],
  ["y", 1],
  ["width", 1],
  ["height", 1],
  ["confidence", 1],
];

function withinBounds<Fields extends object>(fields: Fields, bounds: Bounds): Fields {
  const given = fields as Readonly<Record<string, unknown>>;
  const outside: Record<string, number> = {};
  let isOutside = false;
  for (const [name, most] of bounds) {
    const value = given[name];
    if (typeof value !== "number" || (value >= 0 && value <= most)) continue;
    outside[name] = value < 0 ? 0 : most;
    isOutside = true;
  }
  return isOutside ? { ...fields, ...outside } : fields;
}

/** An id as text, or as kombu writes a UUID. */
function idThat(isGood: (text: string) => boolean, message: string) {
  return z.unknown().transform((value, context) => {
    const plain = plainId(value);
    if (typeof plain === "string" && isGood(plain)) return plain;
    context.addIssue({ code: "custom", message: value === undefined ? "is required" : message });
    return z.NEVER;
  });
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
