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
}

interface CancelledChannel {
  /** The offset of the last event. */
  readonly offset: number;
  /** Undefined if no terminal event is current. */
  readonly currentTerminal: unknown;
  /** Since the last reopening. */
  readonly stages: readonly StageMark[];
}

/**
 * The request that is in force; undefined if there is none, or if an event that came after it ended or reopened the
 * analysis. It is judged by the channel alone: an append need not clear it, and a gateway of an earlier release that
 * knows no requests cannot keep one alive.
 */
export function cancelInForce(
  kept: KeptCancel | undefined,
  { offset, currentTerminal, stages }: CancelledChannel,
): CancelRequest | undefined {
  if (kept === undefined || currentTerminal !== undefined) return undefined;
  // The counter has begun anew since.
  if (kept.after > offset) return undefined;
  // The first event of all reopens nothing: an analysis may be cancelled before anybody has heard of it.
  const begunAt = stages[0]?.offset ?? 0;
  return begunAt > Math.max(kept.after, 1) ? undefined : kept.request;
}

/** Writes a request as brokers keep it: `after` and the request in JSON. */
export function cancelToText({ request, after }: KeptCancel): string {
  const { requested_at, user_id, reason } = request;
  return `${after} ${JSON.stringify({ requested_at, user_id, reason })}`;
}

/** Reads what `cancelToText` wrote. Throws if the text is none of that. */
export function cancelOfText(text: string): KeptCancel {
  const [start, after] = /^(\d+) /.exec(text) ?? [];
  if (start === undefined) throw new Error("not a request to cancel of ours");
  return { after: Number(after), request: JSON.parse(text.slice(start.length)) as CancelRequest };
}
