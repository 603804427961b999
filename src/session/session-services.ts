import type { AccessPolicy } from "../application/access-policy.ts";
import { faultLevel, reasonOf, TelltaleError } from "../application/errors.ts";
import type { DeliveryMeters } from "../application/fan-out/delivery-meter.ts";
import type { OpenConnections } from "../application/open-connections.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import type { Refusals } from "../application/refusals.ts";
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
  readonly deliveries: DeliveryMeters;
  readonly refusals: Refusals;
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

/** Counts a watch that began at a position that the client gave; `resumed` is null if it gave none. */
export function countResume(telemetry: TelemetryPort, resumed: boolean | null): void {
  if (resumed !== null) telemetry.count("telltale_resumes_total", { outcome: resumed ? "resumed" : "gone" });
}

/** Logs the fault that ended one connection. */
export function logFault(telemetry: TelemetryPort, connection: string, error: unknown): void {
  const expected = error instanceof TelltaleError;
  telemetry.log(faultLevel(error), "a connection could not be served", {
    connection,
    code: expected ? error.code : "internal",
    message: reasonOf(error),
  });
}
