import type { ControlFrame, ControlKind } from "../application/ports/client-connection-port.ts";
import type { AnalysisId } from "../domain/channel.ts";
import { type EventPosition, formatEventId } from "../domain/event-position.ts";
import type { ProtocolFault } from "./client-frames.ts";
import type { SessionServices } from "./session-services.ts";

// The frames of the protocol itself: none carries an `event_id`. Times are milliseconds since 1970.

/** `resumed`: whether every event after the position that the client gave follows; null if it gave none. */
interface Established {
  readonly analysisId: AnalysisId | null;
  readonly connectionId: string;
  readonly resumed: boolean | null;
}

/** The first frame of every WebSocket and every event stream. */
export function connectionEstablished(
  { analysisId, connectionId, resumed }: Established,
  { settings, clock }: Pick<SessionServices, "settings" | "clock">,
): ControlFrame {
  return control("connection_established", {
    analysis_id: analysisId,
    message: messageFor(resumed),
    timestamp: isoTime(clock.now()),
    connection_id: connectionId,
    heartbeat_interval_seconds: settings.heartbeatIntervalMs / 1000,
    heartbeat_timeout_seconds: settings.heartbeatTimeoutMs / 1000,
    resumed,
  });
}

/** `position`: the client was sent everything up to there; undefined if it is not to be told. */
export function heartbeat(message: "ping" | "pong", now: number, position?: EventPosition): ControlFrame {
  const marker = position && { last_event_id: formatEventId(position) };
  return control("heartbeat", { message, timestamp: isoTime(now), ...marker });
}

/** The replay ends here: the client was sent all that it is to get up to `position`. */
export function caughtUp(analysisId: AnalysisId, position: EventPosition, now: number): ControlFrame {
  return control("caught_up", {
    analysis_id: analysisId,
    last_event_id: formatEventId(position),
    timestamp: isoTime(now),
  });
}

export function authenticated(expiresAt: number, now: number): ControlFrame {
  return control("authenticated", {
    expires_at: isoTime(expiresAt),
    timestamp: isoTime(now),
  });
}

/** On `/ws`: the client watches the analysis from here on, whether or not it did before. */
export function subscribed(analysisId: AnalysisId, resumed: boolean | null, now: number): ControlFrame {
  return control("subscribed", {
    analysis_id: analysisId,
    resumed,
    timestamp: isoTime(now),
  });
}

/** `analysisId` is the text that the client sent, which may be no UUID. */
export function unsubscribed(analysisId: string, now: number): ControlFrame {
  return control("unsubscribed", { analysis_id: analysisId, timestamp: isoTime(now) });
}

const REFUSALS = {
  not_an_analysis_id: "analysis_id is not a UUID",
  not_allowed: "not allowed to watch this analysis",
  position_gone: "the given position is gone: what follows it is not kept any more",
  not_declared: "nobody declared yet who may watch this analysis: try again in a moment",
  too_many_subscriptions: "this socket, or its user over all sockets, watches as many analyses as may be",
  broker_unavailable: "the broker is away: try again in a moment",
  newer_format: "what is kept of it was written by a newer Telltale than this gateway",
  access_undecided: "nobody can decide now whether it may be watched: try again in a moment",
  internal: "a fault of the gateway: try again in a moment",
} as const;

/** Why the client does not watch an analysis, or not any more. The socket stays open. */
export type Refusal = keyof typeof REFUSALS;

export function subscriptionRefused(analysisId: string, code: Refusal, now: number): ControlFrame {
  return control("subscription_refused", {
    analysis_id: analysisId,
    code,
    message: REFUSALS[code],
    timestamp: isoTime(now),
  });
}

export function protocolError(fault: ProtocolFault, now: number): ControlFrame {
  return control("protocol_error", { ...fault, timestamp: isoTime(now) });
}

/** Answers the bare text `ping`. It is the one frame that is no JSON. */
export const BARE_PONG: ControlFrame = { text: "pong", kind: "pong" };

function control(kind: ControlKind, members: object): ControlFrame {
  return { text: JSON.stringify({ event_type: kind, ...members }), kind };
}

function messageFor(resumed: boolean | null): string {
  if (resumed === null) return "connected";
  return resumed
    ? "connected: everything after the given position follows"
    : "connected: the given position is gone, so this starts afresh";
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
