import { openMemoryBroker } from "../adapters/memory/memory-broker.ts";
import { openRedisBroker } from "../adapters/redis/redis-broker.ts";
import type { BrokerPorts } from "../application/ports/broker-ports.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { Config } from "./config/config.ts";

/** Opens the broker of the configuration. This is the one place that knows which broker it is. */
export function openBroker(config: Config, clock: ClockPort, telemetry: TelemetryPort): BrokerPorts {
  const { broker: target, listen } = config;
  const shared = { clock, telemetry, history: { size: config.historySize, ttlMs: config.historyTtlMs } };
  switch (target.kind) {
    case "memory":
      return openMemoryBroker(shared);
    case "redis":
      return openRedisBroker({ ...shared, target, waitReplicas: target.waitReplicas, listen });
  }
}
