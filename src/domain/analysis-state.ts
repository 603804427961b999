import type {
  AnalysisEvent,
  DataResult,
  ErrorEvent,
  Notice,
  ResultUpdate,
  StatusUpdate,
} from "./analysis-event.ts";
import type { CancelRequest } from "./cancel-request.ts";
import { type Counts, countsOf, NO_COUNTS } from "./counts.ts";
import { parseEventId } from "./event-position.ts";
import { laterTime } from "./later-time.ts";
import { STAGE_MARKS_KEPT, type Stage, type StageMark } from "./stages.ts";

/** `queued`: it waits for a worker, hence is never stalled. */
export type AnalysisStatus = "unknown" | "queued" | "running" | "stalled" | EndStatus;
export type EndStatus = "completed" | "failed" | "cancelled";

/** The state of an analysis: all its events, folded. Times are ISO 8601 in UTC, as the events gave them. */
export interface AnalysisState extends Counts {
  readonly analysis_id: string;
  readonly status: AnalysisStatus;
  /** 0 to 1; like the next three and the counts from the last status_update, null before the first. No time is estimated after the end. */
  readonly progress: number | null;
  readonly current_stage: Stage | null;
  readonly message: string | null;
  readonly estimated_completion: string | null;
  readonly stages: readonly StageSpan[];
  /** The result, if it is the current terminal event. */
  readonly result: ResultUpdate | DataResult | null;
  /** The reason of the failure, if that is current: an `error`, or the status_update with stage `failed`. */
  readonly error: ErrorEvent | StatusUpdate | null;
  readonly updated_at: string | null;
  /** `"0"` before the first event. */
  readonly last_event_id: string;
  /** The run of the worker that it is in; null if its worker names none. */
  readonly attempt_id: string | null;
  /** The request to cancel it; null if none came since it began, reopened or ended. */
  readonly cancel_requested: CancelRequest | null;
  /** The request that the worker of an analysis of status `cancelled` obeyed; null if nobody had asked. */
  readonly cancelled_by: CancelRequest | null;
}

/**
 * A stretch of one stage since the last reopening; `ended_at` is null while it goes on, and never before `started_at`,
 * whatever the clocks of the workers say.
 */
interface StageSpan {
  readonly stage: string;
  readonly started_at: string;
  readonly ended_at: string | null;
}

export function emptyState(analysisId: string): AnalysisState {
  return {
    analysis_id: analysisId,
    status: "unknown",
    progress: null,
    current_stage: null,
    message: null,
    estimated_completion: null,
    ...NO_COUNTS,
    stages: [],
    result: null,
    error: null,
    updated_at: null,
    last_event_id: "0",
    attempt_id: null,
    cancel_requested: null,
    cancelled_by: null,
  };
}

/** The state after one more event of this analysis, which must be the next in order. Notices change nothing. */
export function fold(state: AnalysisState, event: AnalysisEvent): AnalysisState {
  if (event.event_type === "notice") return state;
  const status = statusAfter(event);
  const isOtherAttempt = event.attempt_id !== undefined && event.attempt_id !== state.attempt_id;
  const beginsAnew = isOtherAttempt || (hasEnded(state) && !isEnd(status));
  const before = beginsAnew ? { ...state, stages: [], result: null, error: null } : state;
  const isUpdate = event.event_type === "status_update";
  const isOtherRun = isOtherAttempt && isForEarlierRun(state);
  const isOver = isEnd(status);
  const after = {
    ...before,
    ...(isUpdate && statusFields(event)),
    status,
    stages: isUpdate ? withStage(before, event) : before.stages,
    updated_at: event.timestamp,
    last_event_id: event.event_id ?? state.last_event_id,
    attempt_id: event.attempt_id ?? state.attempt_id,
    cancel_requested: isOver || isOtherRun ? null : state.cancel_requested,
    cancelled_by:
      status === "cancelled" && !isOtherRun ? (state.cancel_requested ?? state.cancelled_by) : null,
    // Nothing is to be expected of an analysis that has ended.
    ...(isOver && { estimated_completion: null }),
  };
  const isTerminal = !isUpdate || status === "failed" || status === "cancelled";
  return isTerminal ? { ...after, stages: ended(after.stages, event), ...terminalFields(event) } : after;
}

/**
 * Whether the request to cancel is not for the attempt that follows, as `runAfter` has it. A state does not know where the
 * request came; whether that was before the analysis was queued is told by its time.
 */
function isForEarlierRun({ last_event_id, status, stages, cancel_requested }: AnalysisState): boolean {
  // An analysis may be cancelled before anybody has heard of it.
  if (last_event_id === "0") return false;
  if (status !== "queued") return true;
  const queuedAt = stages.at(-1)?.started_at ?? "";
  const requestedAt = cancel_requested?.requested_at ?? "";
  return stages.length > 1 && laterTime(queuedAt, requestedAt) !== requestedAt;
}

/** Whether an analysis of this status, or whose worker named this stage, has ended. */
export function isEnd(name: unknown): name is EndStatus {
  return name === "completed" || name === "failed" || name === "cancelled";
}

/** A running analysis whose worker was silent for too long is stalled; any other status stays. */
export function markStalled(state: AnalysisState, silentForMs: number, stallAfterMs: number): AnalysisState {
  return state.status === "running" && silentForMs >= stallAfterMs ? { ...state, status: "stalled" } : state;
}

/** The part of the state that a broker keeps beside the counter. Its events have their `event_id`. */
interface StateSnapshot {
  readonly analysisId: string;
  readonly lastStatus: StatusUpdate | undefined;
  /** The current terminal event. */
  readonly terminal: AnalysisEvent | undefined;
  readonly stages: readonly StageMark[];
  readonly lastEventId: string;
  /** The attempt that is current; undefined: none was ever named, or it is that of the last event. */
  readonly attemptId?: string | undefined;
  /** The request to cancel that is in force. */
  readonly cancel?: CancelRequest | undefined;
  /** The one that was in force when the run ended. */
  readonly cancelAtEnd?: CancelRequest | undefined;
}

/** The same state that folding every event would have come to, however many of them were trimmed. */
export function stateFromSnapshot(snapshot: StateSnapshot): AnalysisState {
  const { lastStatus } = snapshot;
  const terminal = snapshot.terminal?.event_type === "notice" ? undefined : snapshot.terminal;
  // Every event of an analysis is a status or terminal, so the later of these two is the last one of all.
  const last = offsetOf(terminal) >= offsetOf(lastStatus) ? (terminal ?? lastStatus) : lastStatus;
  const empty = emptyState(snapshot.analysisId);
  const status = last === undefined ? empty.status : statusAfter(last);
  return {
    ...empty,
    ...(lastStatus && statusFields(lastStatus)),
    status,
    ...(terminal && terminalFields(terminal)),
    stages: spansOf(snapshot.stages, terminal),
    updated_at: last?.timestamp ?? null,
    last_event_id: snapshot.lastEventId,
    attempt_id: snapshot.attemptId ?? last?.attempt_id ?? null,
    cancel_requested: snapshot.cancel ?? null,
    cancelled_by: status === "cancelled" ? (snapshot.cancelAtEnd ?? null) : null,
    ...(isEnd(status) && { estimated_completion: null }),
  };
}

type EventOfAnalysis = Exclude<AnalysisEvent, Notice>;

/** Whether its terminal event is current. That ended the last stage; a cancelled analysis has neither a result nor an error. */
export function hasEnded({ result, error, stages }: AnalysisState): boolean {
  return result !== null || error !== null || typeof stages.at(-1)?.ended_at === "string";
}

function statusAfter(event: EventOfAnalysis): AnalysisStatus {
  if (event.event_type === "error") return "failed";
  if (event.event_type !== "status_update") return "completed";
  const { current_stage: stage } = event;
  if (stage === "queued") return "queued";
  return isEnd(stage) ? stage : "running";
}

function statusFields(event: StatusUpdate) {
  return {
    progress: event.progress,
    current_stage: event.current_stage,
    message: event.message,
    estimated_completion: event.estimated_completion,
    ...countsOf(event),
  };
}

function terminalFields(event: EventOfAnalysis): Pick<AnalysisState, "result" | "error"> {
  const status = statusAfter(event);
  const fields = { result: status === "completed" ? event : null, error: status === "failed" ? event : null };
  return fields as ReturnType<typeof terminalFields>;
}

function withStage(state: AnalysisState, event: StatusUpdate): readonly StageSpan[] {
  const { stages } = state;
  const { current_stage: stage, timestamp } = event;
  if (stages.at(-1)?.stage === stage) return stages;
  // A stage that comes after the end, as `completed` after the result, is over as it begins.
  const span = { stage, started_at: timestamp, ended_at: hasEnded(state) ? timestamp : null };
  return [...ended(stages, event), span].slice(-STAGE_MARKS_KEPT);
}

function ended(stages: readonly StageSpan[], { timestamp }: AnalysisEvent): readonly StageSpan[] {
  const last = stages.at(-1);
  if (last === undefined) return stages;
  return [...stages.slice(0, -1), { ...last, ended_at: laterTime(last.started_at, timestamp) }];
}

function spansOf(marks: readonly StageMark[], terminal: EventOfAnalysis | undefined): StageSpan[] {
  return marks.map(({ stage, at, offset }, index) => {
    const last = terminal && (offset > offsetOf(terminal) ? at : terminal.timestamp);
    const end = marks[index + 1]?.at ?? last;
    return { stage, started_at: at, ended_at: end === undefined ? null : laterTime(at, end) };
  });
}

/** Offsets go on rising over epochs: they order the events of a channel. */
function offsetOf(event: AnalysisEvent | undefined): number {
  return parseEventId(event?.event_id ?? "0")?.offset ?? 0;
}
