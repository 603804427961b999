import type { BrokerContext, BrokerPorts } from "telltale/ports";
import { MinimalDeadLetters } from "./dead-letters.ts";
import { MinimalEvents } from "./events.ts";
import { Store } from "./store.ts";

/** The smallest broker: it keeps everything in the memory of the gateway, and has no ways in for workers. */
export function openBroker(context: BrokerContext): BrokerPorts {
  return openNode(new Store(), context);
}

/** The ports of one node. All nodes on one store are on one broker. */
export function openNode(
  store: Store,
  { clock, telemetry, history }: Pick<BrokerContext, "clock" | "telemetry" | "history">,
): BrokerPorts {
  return {
    events: new MinimalEvents({ store, clock, telemetry, history }),
    deadLetters: new MinimalDeadLetters({ store, clock }),
  };
}
