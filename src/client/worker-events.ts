import { isStageName } from "../domain/stages.ts";
import type { PublishRefused } from "./publish-errors.ts";
import type { ResultUpdate, Time } from "./publishable.ts";

/** How far an analysis is. A field that is left out is as before; fields of other names are passed on. */
export interface Report {
  /** 0 to 1; if left out, `current / total`. */
  readonly progress?: number;
  readonly stage?: string;
  /** If left out, one is made of the counts or of the stage. */
  readonly message?: string;
  readonly current?: number;
  readonly total?: number;
  /** The name of what is counted, as `frames`. */
  readonly unit?: string;
  readonly estimated_completion?: Time | null;
  readonly [extra: string]: unknown;
}

/** A result with a verdict, or any other. Counts and time of a verdict that are left out are those of the worker. */
export type WorkerResult =
  | (Pick<ResultUpdate, "confidence_score" | "is_fake"> & Partial<ResultUpdate>)
  | { readonly data: unknown; readonly summary?: string | null; readonly [extra: string]: unknown };

/** The latest that is known of the way: for events that say less. */
export interface Progress {
  readonly stage: string;
  readonly progress: number;
  readonly current?: number | undefined;
  readonly total?: number | undefined;
  readonly unit?: string | undefined;
}

/**
 * Where the analysis is after a report. Counts that are no numbers of 0 or more are none. The gateway refuses a report whose progress
 * or stage can be none: those behind it, and the end, must not be refused for it as well.
 */
export function afterReport(before: Progress, { progress, stage, unit, ...counts }: Report): Progress {
  const [current, total] = [countOf(counts.current), countOf(counts.total)];
  const counted =
    current !== undefined && total !== undefined && total > 0 ? Math.min(1, current / total) : Number.NaN;
  const now = isLeftOut(progress) ? counted : progress;
  return {
    stage: typeof stage === "string" && isStageName(stage) ? stage : before.stage,
    progress: typeof now === "number" && now >= 0 && now <= 1 ? now : before.progress,
    current,
    total,
    unit: typeof unit === "string" ? unit : before.unit,
  };
}

function countOf(given: unknown): number | undefined {
  return typeof given === "number" && Number.isFinite(given) && given >= 0 ? given : undefined;
}

/** A number that is none comes of a division by 0: nobody means it. */
function isLeftOut(progress: unknown): progress is undefined {
  return (
    (progress ?? undefined) === undefined || (typeof progress === "number" && !Number.isFinite(progress))
  );
}

/** The fields of a status_update, without those that all events have. */
export function statusFields(at: Progress, report: Report): Record<string, unknown> {
  const { stage, message, ...given } = report;
  const progress = isLeftOut(report.progress) ? at.progress : report.progress;
  const fields: Record<string, unknown> = { ...given, progress, current_stage: stage ?? at.stage };
  if (at.unit !== undefined && at.current !== undefined) fields.unit ??= at.unit;
  const said = typeof message === "string" && message.trim() === "" ? undefined : message;
  return { ...fields, message: said ?? countedWords(at) ?? wordsOfStage(at.stage) };
}

/** A result event by its shape: `result_update` for a verdict, else `result`. */
export function resultFields(result: WorkerResult, at: Progress, elapsedMs: number): Record<string, unknown> {
  if (typeof result !== "object" || result === null) return { event_type: "result" };
  if (!("confidence_score" in result)) return { ...result, event_type: "result" };
  const frames = Number.isInteger(at.current) ? at.current : 0;
  const total = result.frames_processed ?? (Number.isInteger(at.total) ? at.total : frames);
  return {
    frames_processed: frames,
    total_frames: total,
    processing_time_ms: Math.max(0, Math.round(elapsedMs)),
    ...result,
    event_type: "result_update",
  };
}

/** The fields of the `error` that takes the place of an end of this type, which was refused. */
export function refusedEndFields(
  event_type: string,
  { message, issues }: Pick<PublishRefused, "message" | "issues">,
): Record<string, unknown> {
  // The first element of a path is the event's place in the batch.
  const faults = issues.slice(0, 10).map(({ path, message }) => ({ path: path.slice(1), message }));
  const [first] = faults;
  const why = first === undefined ? message : `${first.path.join(".") || "event"} ${first.message}`;
  return {
    error_code: "event_refused",
    error_message: `The worker's ${event_type} was refused: ${why}`,
    error_details: { event_type, issues: faults },
  };
}

/** JSON; a big integer that is no exact number becomes text. Throws a `TypeError` at a value that refers to itself. */
export function encoded(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(fields, (_, value: unknown) => {
    if (typeof value !== "bigint") return value;
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  });
}

function countedWords({ current, total, unit }: Progress): string | undefined {
  if (current === undefined) return undefined;
  const whole = total === undefined ? `${current}` : `${current} of ${total}`;
  return unit === undefined ? whole : `${whole} ${unit}`;
}

function wordsOfStage(stage: string): string {
  return notBlank(stage.replaceAll("_", " ")) ?? "working";
}

function notBlank(text: string): string | undefined {
  return text.trim() === "" ? undefined : text;
}
