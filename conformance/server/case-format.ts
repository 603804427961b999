import { z } from "zod";

export const TRANSPORTS = ["websocket", "sse", "poll"] as const;
export type TransportName = (typeof TRANSPORTS)[number];

const transport = z.enum(TRANSPORTS);
const seconds = z.number().nonnegative();
const fields = z.record(z.string(), z.unknown());
/** `{status_update: {event_id: e-2}}`, or the type alone. Fields that are left out have defaults. */
const frame = z.union([
  z.string(),
  fields.refine((value) => Object.keys(value).length === 1, "a frame is {event_type: {fields}}"),
]);
/** `e-2`, `analysis_state@e-1`, the type of an event without an id, or fields that the event has among others. */
const event = z.union([z.string(), fields]);

const ending = z.strictObject({
  code: z.number().int(),
  reason: z.string().default(""),
  retry_after_ms: z.number().int().optional(),
});
const arriving = { over: transport.optional(), token: z.enum(["new", "any"]).default("any") };

const STEPS = {
  accept: z.strictObject({
    ...arriving,
    position: z.string(),
    resumed: z.boolean().optional(),
    heartbeat_interval_seconds: seconds.default(15),
    heartbeat_timeout_seconds: seconds.default(45),
  }),
  refuse: z.strictObject({ ...arriving, ...ending.shape }),
  refuse_analysis: z.strictObject({ ...arriving, code: z.string() }),
  block: z.strictObject({ ...arriving, with: z.enum(["not_found", "silence", "page"]).default("not_found") }),
  send: z.array(frame),
  garble: z.strictObject({}),
  reset: z.strictObject({}),
  quiet_for: seconds,
  end: ending,
  cut: z.strictObject({}),
  pong: z.strictObject({}),
  authenticate: z.strictObject({}),
  tokens: z.strictObject({ fail: z.boolean() }),
  skip: seconds,
  asks_within: seconds,
  gives_up: z.strictObject({ at_least: seconds, at_most: seconds }),
  wait_out: z.strictObject({
    at_least: seconds.default(0),
    at_most: seconds,
    code: z.number().int().optional(),
    reason: z.string().optional(),
  }),
  expect: z.strictObject({
    connection: fields.optional(),
    analysis: fields.nullable().optional(),
    stalled: z.boolean().optional(),
    cancel_requested: fields.nullable().optional(),
    events: z.array(event).optional(),
    over: z
      .union([z.enum(["finished", "closed"]), z.strictObject({ refused: z.number() })])
      .nullable()
      .optional(),
    cancel: z
      .union([z.literal("taken"), z.strictObject({ refused: z.string() })])
      .nullable()
      .optional(),
  }),
  cancel: z.strictObject({
    reason: z.string().optional(),
    status: z.number().int().default(202),
    code: z.string().optional(),
  }),
  close: z.strictObject({}),
  retry_now: z.strictObject({}),
  nothing_left: z.strictObject({}),
};

/** Has exactly one member, whose name says what is done. */
const step = z.preprocess(
  (written) => (typeof written === "string" ? { [written]: {} } : written),
  z
    .strictObject(STEPS)
    .partial()
    .refine((value) => Object.keys(value).length === 1, "a step has one member, which says what is done"),
);
export type Step = z.infer<typeof step>;
export type Ending = z.infer<typeof ending>;
export type WrittenFrame = z.infer<typeof frame>;
export type Expectation = z.infer<typeof STEPS.expect>;
export type Refusal = z.infer<typeof STEPS.refuse>;
export type Acceptance = z.infer<typeof STEPS.accept>;

const conformanceCase = z.strictObject({
  case: z.string().regex(/^[a-z0-9-]+$/),
  /** A sentence whose subject is the client. */
  rule: z.string().regex(/^[A-Z].*\.$/s),
  /** It is run once over each of them. */
  transports: z.array(transport).nonempty().optional(),
  /** It is run once, by a client that may use all of these, from the first on. */
  fallback: z.array(transport).min(2).optional(),
  until: z.literal("terminal").optional(),
  /** How long each token lasts. */
  token_seconds: seconds.default(3_600),
  steps: z.array(step).nonempty(),
});
export type ConformanceCase = z.infer<typeof conformanceCase>;

/** Throws if the text is no list of cases. */
export function parseCases(yaml: string): readonly ConformanceCase[] {
  return z.array(conformanceCase).parse(Bun.YAML.parse(yaml));
}

/** A case over the transports of one run. */
export interface Offer {
  readonly case: string;
  readonly rule: string;
  readonly transports: readonly TransportName[];
  /** Features that a client may lack. */
  readonly needs: readonly ("until" | "cancel" | "retry_now")[];
}

export function offersOf({
  case: name,
  rule,
  transports = [],
  fallback,
  until,
  steps,
}: ConformanceCase): Offer[] {
  const runs = [...transports.map((one) => [one]), ...(fallback ? [fallback] : [])];
  const needs: Offer["needs"][number][] = until ? ["until"] : [];
  for (const need of ["cancel", "retry_now"] as const)
    if (steps.some((step) => step[need] !== undefined)) needs.push(need);
  return runs.map((each) => ({ case: name, rule, transports: each, needs }));
}
