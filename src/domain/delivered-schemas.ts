import { z } from "zod";

/*
 * The shapes of everything that clients are sent, for descriptions of the protocol and for checks of it. Fields that a publisher
 * added are passed on, so that every object may have more members.
 */

const fraction = z.number().min(0).max(1);
const count = z.number().min(0).meta({ type: "integer" });
const time = z.string().meta({ format: "date-time" });
const json = z.record(z.string(), z.unknown());
const analysisId = z.string().meta({ format: "uuid" });
const position = z.string().meta({ description: "A position: opaque; `0` is before the first event." });

const ofAnyChannel = { event_id: position, timestamp: time, attempt_id: z.string().optional() };
const ofAnalysis = { ...ofAnyChannel, analysis_id: analysisId };

const region = z.looseObject({
  frame_number: count,
  x: fraction,
  y: fraction,
  width: fraction,
  height: fraction,
  confidence: fraction,
  region_type: z.string(),
});

/** Every event as clients get it, by its event_type. */
export const DELIVERED = {
  status_update: z.looseObject({
    ...ofAnalysis,
    event_type: z.literal("status_update"),
    task_id: z.string(),
    progress: fraction,
    current_stage: z.string(),
    message: z.string(),
    estimated_completion: time.nullable(),
    error: z.string().nullable(),
  }),
  result_update: z.looseObject({
    ...ofAnalysis,
    event_type: z.literal("result_update"),
    confidence_score: fraction,
    frames_processed: count,
    total_frames: count,
    is_fake: z.boolean(),
    processing_time_ms: count,
    suspicious_regions: z.array(region),
    blockchain_hash: z.string().nullable(),
  }),
  result: z.looseObject({
    ...ofAnalysis,
    event_type: z.literal("result"),
    data: z.unknown(),
    summary: z.string().nullable(),
  }),
  error: z.looseObject({
    ...ofAnalysis,
    event_type: z.literal("error"),
    error_code: z.string(),
    error_message: z.string(),
    error_details: json.nullable(),
  }),
  notice: z.looseObject({
    ...ofAnyChannel,
    event_type: z.literal("notice"),
    level: z.enum(["info", "warning", "error"]),
    message: z.string(),
    data: json.nullable(),
  }),
};

/** A request to cancel, in a frame and in the state. */
export const cancelRequest = z.looseObject({
  requested_at: time,
  user_id: z.string().nullable(),
  reason: z.string().nullable(),
});

const stateMembers = {
  analysis_id: analysisId,
  status: z.enum(["unknown", "queued", "running", "stalled", "completed", "failed", "cancelled"]),
  progress: fraction.nullable(),
  current_stage: z.string().nullable(),
  message: z.string().nullable(),
  estimated_completion: time.nullable(),
  current: z.number().nullable(),
  total: z.number().nullable(),
  unit: z.string().nullable(),
  stages: z.array(z.looseObject({ stage: z.string(), started_at: time, ended_at: time.nullable() })),
  result: z.union([DELIVERED.result_update, DELIVERED.result]).nullable(),
  error: z.union([DELIVERED.error, DELIVERED.status_update]).nullable(),
  updated_at: time.nullable(),
  last_event_id: position,
  attempt_id: z.string().nullable(),
  cancel_requested: cancelRequest.nullable(),
  cancelled_by: cancelRequest.nullable(),
};

/** The answer of `GET /v1/analyses/{id}`. */
export const analysisState = z.looseObject(stateMembers);

const frame = <Type extends string>(type: Type) => ({ event_type: z.literal(type) });

/** Every frame of the protocol itself, by its event_type. */
export const SERVER_FRAMES = {
  connection_established: z.looseObject({
    ...frame("connection_established"),
    analysis_id: analysisId.nullable(),
    message: z.string(),
    timestamp: time,
    connection_id: z.string(),
    heartbeat_interval_seconds: z.number(),
    heartbeat_timeout_seconds: z.number(),
    resumed: z.boolean().nullable(),
  }),
  analysis_state: z.looseObject({ ...frame("analysis_state"), ...stateMembers }),
  caught_up: z.looseObject({
    ...frame("caught_up"),
    analysis_id: analysisId,
    last_event_id: position,
    timestamp: time,
  }),
  heartbeat: z.looseObject({
    ...frame("heartbeat"),
    message: z.enum(["ping", "pong"]),
    timestamp: time,
    last_event_id: position.optional(),
  }),
  state_changed: z.looseObject({
    ...frame("state_changed"),
    analysis_id: analysisId,
    status: z.enum(["stalled", "running"]),
    silent_since: time.nullable(),
  }),
  cancel_requested: cancelRequest.extend({ ...frame("cancel_requested"), analysis_id: analysisId }),
  authenticated: z.looseObject({ ...frame("authenticated"), expires_at: time, timestamp: time }),
  subscribed: z.looseObject({
    ...frame("subscribed"),
    analysis_id: analysisId,
    resumed: z.boolean().nullable(),
    timestamp: time,
  }),
  unsubscribed: z.looseObject({ ...frame("unsubscribed"), analysis_id: z.string(), timestamp: time }),
  subscription_refused: z.looseObject({
    ...frame("subscription_refused"),
    analysis_id: z.string(),
    code: z.string(),
    message: z.string(),
    timestamp: time,
  }),
  protocol_error: z.looseObject({
    ...frame("protocol_error"),
    code: z.string(),
    message: z.string(),
    timestamp: time,
  }),
};
