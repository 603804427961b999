import type { OpenConnections } from "../application/open-connections.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import type { SendHeartbeats } from "../application/send-heartbeats.ts";
import type { SubscribeToAnalysis } from "../application/subscribe-to-analysis.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";

/** What a session needs of the rest of the gateway. */
export interface SessionServices {
  readonly tokens: TokenVerifierPort;
  readonly subscribe: SubscribeToAnalysis;
  readonly connections: OpenConnections;
  readonly registry: ConnectionRegistry;
  readonly heartbeats: SendHeartbeats;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly settings: SessionSettings;
}

export interface SessionSettings {
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Client frames a second on one socket; 0: no limit. */
  readonly messageRate: number;
}
