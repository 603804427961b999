import type { BrokerPorts } from "../../application/ports/broker-ports.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { HistoryLimits } from "./append-script.ts";
import { ClusterWorkerChannels } from "./cluster-worker-channels.ts";
import type { PerPrimary } from "./per-primary.ts";
import type { RedisCommands } from "./redis-commands.ts";
import type { ClusterTarget, RedisTarget } from "./redis-connection.ts";
import { deadLetterKeeper, RedisDeadLetters } from "./redis-dead-letters.ts";
import { RedisInbox } from "./redis-inbox.ts";
import { RedisPubSub } from "./redis-pub-sub.ts";
import type { RequiredReplicas } from "./redis-replicas.ts";
import { RedisSelfCheck } from "./redis-self-check.ts";
import { RedisServers } from "./redis-servers.ts";
import { RedisWorkerChannels, type RedisWorkerChannelsOptions } from "./redis-worker-channels.ts";

interface RedisBrokerOptions {
  readonly target: RedisTarget | ClusterTarget;
  readonly history: HistoryLimits;
  /** The replicas that must have an event before it is acknowledged. */
  readonly waitReplicas: RequiredReplicas;
  /** The workers' channels that this gateway listens to. */
  readonly listen: RedisWorkerChannelsOptions["listen"];
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** Every port on one Redis, or on one Cluster. Their connections tell an outage once and move together. */
export function openRedisBroker({
  history,
  waitReplicas,
  listen,
  ...connected
}: RedisBrokerOptions): BrokerPorts & Required<Pick<BrokerPorts, "workerChannels" | "inbox">> {
  const { target, clock } = connected;
  const servers = new RedisServers(connected);
  const shared = { ...connected, servers };
  const events = new RedisPubSub({ ...shared, history, waitReplicas });
  const keeper = deadLetterKeeper(servers, shared);
  return {
    events,
    running: events.running,
    deadLetters: new RedisDeadLetters({ ...shared, keeper }),
    workerChannels:
      "cluster" in target
        ? new ClusterWorkerChannels({ ...shared, listen })
        : new RedisWorkerChannels({ ...shared, target, listen, ...onlyServer(servers, keeper) }),
    inbox: new RedisInbox(shared),
    selfCheck: () => new RedisSelfCheck({ target, waitReplicas, listen, clock }),
  };
}

/** The connections to the one Redis share a state, and marks and probes go over that of the dead letters. */
function onlyServer(servers: RedisServers, keeper: PerPrimary<RedisCommands>) {
  const [primary] = servers.owners.primaries;
  return primary && { links: servers.linksOf(primary), commands: keeper.of(primary) };
}
