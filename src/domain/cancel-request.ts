import { type CurrentRun, isOver, runKept } from "./current-run.ts";
import type { StageMark } from "./stages.ts";

/** A request to cancel an analysis, as clients see it. */
export interface CancelRequest {
  /** ISO 8601 in UTC, by the clock of the gateway that took it. */
  readonly requested_at: string;
  /** Null if the token named nobody. */
  readonly user_id: string | null;
  readonly reason: string | null;
}

/** A request as a broker keeps it beside the channel. */
export interface KeptCancel {
  readonly request: CancelRequest;
  /** The offset of the channel's last event when it was made; 0 if the channel had none. */
  readonly after: number;
  /** Names that life of the counter; undefined if the broker drops requests with the counter anyway. */
  readonly birth?: string | undefined;
}

/** A request as a worker that has the broker alone reads it. */
export interface ToldCancel extends CancelRequest {
  /** The attempt that it is meant for; null: the one that runs, or the next if the analysis is unknown or queued. */
  readonly attempt_id: string | null;
}

interface CancelledChannel {
  /** The offset of the last event. */
  readonly offset: number;
  /** Undefined if no terminal event is current. */
  readonly currentTerminal: unknown;
  /** Since the last reopening. */
  readonly stages: readonly StageMark[];
  /** Undefined if the channel was kept by a release that knows none. */
  readonly run?: CurrentRun | undefined;
  readonly birth?: string | undefined;
}

/**
 * The request that is in force; undefined if there is none, or if an event that came after it ended the run that it was
 * for, or began another. It is judged by the channel alone: an append need not clear it, and a gateway of an earlier release
 * that knows no requests cannot keep one alive.
 */
export function cancelInForce(
  kept: KeptCancel | undefined,
  channel: CancelledChannel,
): CancelRequest | undefined {
  return isOver(channel) ? undefined : cancelOfRun(kept, channel);
}

/** The request that was in force when the run ended; undefined if the run has not ended, or there was none. */
export function cancelAtEnd(
  kept: KeptCancel | undefined,
  channel: CancelledChannel,
): CancelRequest | undefined {
  return isOver(channel) ? cancelOfRun(kept, channel) : undefined;
}

function cancelOfRun(kept: KeptCancel | undefined, channel: CancelledChannel): CancelRequest | undefined {
  if (kept === undefined) return undefined;
  // The counter has begun anew since.
  if (kept.after > channel.offset || (kept.birth !== undefined && kept.birth !== channel.birth))
    return undefined;
  return kept.after < runKept(channel.run, channel.stages).since ? undefined : kept.request;
}

/** The request as it is told to a worker. `attempt` is the current one. */
export function toldCancel(
  { requested_at, user_id, reason }: CancelRequest,
  stages: readonly StageMark[],
  attempt: string | undefined,
): ToldCancel {
  const isQueued = stages.at(-1)?.stage === "queued";
  return { requested_at, user_id, reason, attempt_id: isQueued ? null : (attempt ?? null) };
}

/** Writes a request as brokers keep it: `after` and the rest in JSON, with the attempt that it is for if that is given. */
export function cancelToText({ request, after, birth }: KeptCancel, told?: ToldCancel): string {
  const { requested_at, user_id, reason } = request;
  return `${after} ${JSON.stringify({ requested_at, user_id, reason, attempt_id: told?.attempt_id, birth })}`;
}

/** Reads what `cancelToText` wrote. Throws if the text is none of that. */
export function cancelOfText(text: string): KeptCancel {
  const [start, after] = /^(\d+) /.exec(text) ?? [];
  if (start === undefined) throw new Error("not a request to cancel of ours");
  const { requested_at, user_id, reason, birth } = JSON.parse(text.slice(start.length)) as CancelRequest & {
    readonly birth?: string;
  };
  return { after: Number(after), request: { requested_at, user_id, reason }, birth };
}
