import type { BrokerPorts } from "../../application/ports/broker-ports.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { HistoryLimits } from "./redis-appends.ts";
import { RedisCommands } from "./redis-commands.ts";
import type { RedisTarget } from "./redis-connection.ts";
import { RedisDeadLetters } from "./redis-dead-letters.ts";
import { RedisInbox } from "./redis-inbox.ts";
import { RedisLinks } from "./redis-links.ts";
import { RedisPubSub } from "./redis-pub-sub.ts";
import type { RequiredReplicas } from "./redis-replicas.ts";
import { RedisSelfCheck } from "./redis-self-check.ts";
import { RedisWorkerChannels, type RedisWorkerChannelsOptions } from "./redis-worker-channels.ts";

interface RedisBrokerOptions {
  readonly target: RedisTarget;
  readonly history: HistoryLimits;
  /** The replicas that must have an event before it is acknowledged. */
  readonly waitReplicas: RequiredReplicas;
  /** The workers' channels that this gateway listens to. */
  readonly listen: RedisWorkerChannelsOptions["listen"];
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** Every port on one Redis. Their connections tell an outage once and move together. */
export function openRedisBroker({
  history,
  waitReplicas,
  listen,
  ...connected
}: RedisBrokerOptions): BrokerPorts & Required<Pick<BrokerPorts, "workerChannels" | "inbox">> {
  const shared = { ...connected, links: new RedisLinks(connected.clock, connected.telemetry) };
  const events = new RedisPubSub({ ...shared, history, waitReplicas });
  const commands = new RedisCommands({ ...shared, purpose: "dead-letters" });
  return {
    events,
    deadLetters: new RedisDeadLetters({ ...shared, commands }),
    workerChannels: new RedisWorkerChannels({ ...shared, listen, commands }),
    inbox: new RedisInbox(shared),
    selfCheck: () => new RedisSelfCheck({ target: connected.target, waitReplicas, listen }),
  };
}
