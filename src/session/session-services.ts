import type { AccessPolicy } from "../application/access-policy.ts";
import { faultLevel, reasonOf, TelltaleError } from "../application/errors.ts";
import type { OpenConnections } from "../application/open-connections.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import type { SendHeartbeats } from "../application/send-heartbeats.ts";
import type { SubscribeToAnalysis } from "../application/subscribe-to-analysis.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";

/** The parts of the gateway that a session needs. */
export interface SessionServices {
  readonly tokens: TokenVerifierPort;
  readonly access: AccessPolicy;
  readonly subscribe: SubscribeToAnalysis;
  readonly connections: OpenConnections;
  readonly registry: ConnectionRegistry;
  readonly heartbeats: SendHeartbeats;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly settings: SessionSettings;
}

interface SessionSettings {
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Client frames a second on one socket; 0: no limit. */
  readonly messageRate: number;
}

/** Logs the fault that ended one connection. */
export function logFault(telemetry: TelemetryPort, error: unknown): void {
  const expected = error instanceof TelltaleError;
  telemetry.log(faultLevel(error), "a connection could not be served", {
    code: expected ? error.code : "internal",
    message: reasonOf(error),
  });
}
