import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { AnalysisId } from "../../domain/channel.ts";
import type { ControlFrame } from "../ports/client-connection-port.ts";

/**
 * All that watchers are told of an analysis beside its events. The frames follow the events. The object is never changed, so
 * that a delivery that holds the same one has told everything.
 */
export interface Announcements {
  readonly cancel: CancelRequest | undefined;
  /** Undefined if no request to cancel is in force. */
  readonly cancelFrame: ControlFrame | undefined;
  /** Since when the worker of a running analysis is silent, in milliseconds since 1970; undefined if it has not stalled. */
  readonly silentSince: number | undefined;
  /** Undefined if the analysis never stalled, or has ended since. */
  readonly stateFrame: ControlFrame | undefined;
}

export const NOTHING_ANNOUNCED: Announcements = {
  cancel: undefined,
  cancelFrame: undefined,
  silentSince: undefined,
  stateFrame: undefined,
};

/** Answers the same object if that request is announced already. */
export function withCancel(
  announcements: Announcements,
  analysisId: AnalysisId,
  request: CancelRequest | undefined,
): Announcements {
  if (isSame(announcements.cancel, request)) return announcements;
  return {
    ...announcements,
    cancel: request,
    cancelFrame: request && frameOf("cancel_requested", { analysis_id: analysisId, ...request }),
  };
}

/** Answers the same object if the analysis is announced so already. `running` says whether one that is not silent runs on. */
export function withSilence(
  announcements: Announcements,
  analysisId: AnalysisId,
  silentSince: number | undefined,
  running: boolean,
): Announcements {
  if (announcements.silentSince === silentSince && (running || announcements.stateFrame === undefined))
    return announcements;
  const status = silentSince === undefined ? "running" : "stalled";
  const silent_since = silentSince === undefined ? null : new Date(silentSince).toISOString();
  return {
    ...announcements,
    silentSince,
    stateFrame: running
      ? frameOf("state_changed", { analysis_id: analysisId, status, silent_since })
      : undefined,
  };
}

/** The frames for a client that was told of `told` last. */
export function newsSince(told: Announcements, now: Announcements): ControlFrame[] {
  const { cancelFrame, stateFrame, silentSince } = now;
  // Only a client that was told of the silence is told of its end.
  const isNews = silentSince !== undefined || told.silentSince !== undefined;
  return [
    ...(cancelFrame === undefined || cancelFrame === told.cancelFrame ? [] : [cancelFrame]),
    ...(stateFrame === undefined || stateFrame === told.stateFrame || !isNews ? [] : [stateFrame]),
  ];
}

function isSame(one: CancelRequest | undefined, other: CancelRequest | undefined): boolean {
  return one?.requested_at === other?.requested_at && one?.user_id === other?.user_id;
}

function frameOf(kind: ControlFrame["kind"], members: object): ControlFrame {
  return { text: JSON.stringify({ event_type: kind, ...members }), kind };
}
