import type { AnalysisId } from "../domain/channel.ts";
import type { ProtocolFault } from "./protocol-fault.ts";

// The frames of the protocol itself: none carries an `event_id`.

/** What `connection_established` says. Times are in milliseconds, `now` since 1970. */
export interface Established {
  readonly analysisId: AnalysisId | null;
  readonly connectionId: string;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly resumed: boolean | null;
  readonly now: number;
}

export function connectionEstablished(established: Established): string {
  return JSON.stringify({
    event_type: "connection_established",
    analysis_id: established.analysisId,
    message: messageFor(established.resumed),
    timestamp: isoTime(established.now),
    connection_id: established.connectionId,
    heartbeat_interval_seconds: established.heartbeatIntervalMs / 1000,
    heartbeat_timeout_seconds: established.heartbeatTimeoutMs / 1000,
    resumed: established.resumed,
  });
}

export function heartbeat(message: "ping" | "pong", now: number): string {
  return `{"event_type":"heartbeat","message":"${message}","timestamp":"${isoTime(now)}"}`;
}

export function authenticated(expiresAt: number, now: number): string {
  return JSON.stringify({
    event_type: "authenticated",
    expires_at: isoTime(expiresAt),
    timestamp: isoTime(now),
  });
}

export function protocolError(fault: ProtocolFault, now: number): string {
  return JSON.stringify({ event_type: "protocol_error", ...fault, timestamp: isoTime(now) });
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
