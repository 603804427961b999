import { openMemoryBroker } from "../adapters/memory/memory-broker.ts";
import type { BrokerPorts } from "../application/ports/broker-ports.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import { openBrokerModule } from "./broker-module.ts";
import type { Config } from "./config/config.ts";

/**
 * Opens the broker of the configuration. This is the one place that knows which broker it is. Rejects with
 * `CommandFailed` if the module of the broker cannot be used.
 */
export async function openBroker(
  config: Config,
  clock: ClockPort,
  telemetry: TelemetryPort,
): Promise<BrokerPorts> {
  const { broker: target, listen } = config;
  const shared = { clock, telemetry, history: { size: config.historySize, ttlMs: config.historyTtlMs } };
  switch (target.kind) {
    case "memory":
      return openMemoryBroker(shared);
    case "redis": {
      // A program on another broker does not load the client of this one.
      const { openRedisBroker } = await import("../adapters/redis/redis-broker.ts");
      return openRedisBroker({ ...shared, target, waitReplicas: target.waitReplicas, listen });
    }
    case "nats": {
      const { openNatsBroker } = await import("../adapters/nats/nats-broker.ts");
      return openNatsBroker({ ...shared, target, listen });
    }
    case "module":
      return openBrokerModule(target.module, { ...shared, env: process.env, listen });
  }
}

/** How a gateway opens its broker. */
export type BrokerOpener = (
  ...given: Parameters<typeof openBroker>
) => BrokerPorts | ReturnType<typeof openBroker>;
