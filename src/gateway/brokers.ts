import { InMemoryBroker } from "../adapters/memory/in-memory-broker.ts";
import { InMemoryInbox } from "../adapters/memory/in-memory-inbox.ts";
import { InMemoryPubSub } from "../adapters/memory/in-memory-pub-sub.ts";
import { InMemoryWorkerChannels } from "../adapters/memory/in-memory-worker-channels.ts";
import { RedisInbox } from "../adapters/redis/redis-inbox.ts";
import { RedisLinks } from "../adapters/redis/redis-links.ts";
import { RedisPubSub } from "../adapters/redis/redis-pub-sub.ts";
import { RedisWorkerChannels } from "../adapters/redis/redis-worker-channels.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { InboxPort } from "../application/ports/inbox-port.ts";
import type { PubSubPort } from "../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { WorkerChannelPort } from "../application/ports/worker-channel-port.ts";
import type { Config } from "./config/config.ts";

/** The ports that one broker stands behind. */
export interface Broker {
  readonly pubSub: PubSubPort;
  readonly workers: WorkerChannelPort;
  readonly inbox: InboxPort;
}

/** The one place that knows which broker is used: everything else sees the ports. */
export function openBroker(config: Config, clock: ClockPort, telemetry: TelemetryPort): Broker {
  const { broker: target, listen } = config;
  const history = { size: config.historySize, ttlMs: config.historyTtlMs };
  switch (target.kind) {
    case "memory": {
      const broker = new InMemoryBroker();
      return {
        pubSub: new InMemoryPubSub({ clock, telemetry, history, broker }),
        workers: new InMemoryWorkerChannels({ broker, clock }),
        inbox: new InMemoryInbox({ broker, clock }),
      };
    }
    case "redis": {
      const shared = { target, clock, telemetry, links: new RedisLinks(clock, telemetry) };
      return {
        pubSub: new RedisPubSub({ ...shared, history, waitReplicas: target.waitReplicas }),
        workers: new RedisWorkerChannels({ ...shared, listen }),
        inbox: new RedisInbox(shared),
      };
    }
  }
}

export async function closeBroker({ pubSub, workers, inbox }: Broker): Promise<void> {
  await Promise.all([inbox.close(), workers.close(), pubSub.close()]);
}
