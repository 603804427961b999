import type { BrokerPorts } from "../../application/ports/broker-ports.ts";
import { InMemoryBroker } from "./in-memory-broker.ts";
import { InMemoryDeadLetters } from "./in-memory-dead-letters.ts";
import { InMemoryInbox } from "./in-memory-inbox.ts";
import { InMemoryPubSub, type InMemoryPubSubOptions } from "./in-memory-pub-sub.ts";
import { InMemoryRunningIndex } from "./in-memory-running-index.ts";
import { InMemoryWorkerChannels } from "./in-memory-worker-channels.ts";

/** Every port on one broker in the memory of this process. */
export function openMemoryBroker({
  broker = new InMemoryBroker(),
  ...options
}: InMemoryPubSubOptions): BrokerPorts & Required<Pick<BrokerPorts, "workerChannels" | "inbox">> {
  const { clock } = options;
  return {
    events: new InMemoryPubSub({ ...options, broker }),
    deadLetters: new InMemoryDeadLetters({ broker, clock }),
    workerChannels: new InMemoryWorkerChannels({ broker, clock }),
    inbox: new InMemoryInbox({ broker, clock }),
    running: new InMemoryRunningIndex(broker),
  };
}
