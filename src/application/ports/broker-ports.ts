import type { BrokerSelfCheck } from "./broker-self-check.ts";
import type { DeadLetterPort } from "./dead-letter-port.ts";
import type { InboxPort } from "./inbox-port.ts";
import type { PubSubPort } from "./pub-sub-port.ts";
import type { RunningIndexPort } from "./running-index-port.ts";
import type { WorkerChannelPort } from "./worker-channel-port.ts";

/**
 * The ports of one broker. An adapter gives the event log and the dead letters. It leaves out a capability that its broker
 * lacks: a gateway then starts without it and says so in its log.
 *
 * The ports of one bundle belong together: `events` recognises the bare messages of `workerChannels` and the entries of
 * `inbox` (`DeduplicationKey`).
 */
export interface BrokerPorts {
  readonly events: PubSubPort;
  readonly deadLetters: DeadLetterPort;
  /** The plain channels of workers that know nothing of Telltale. */
  readonly workerChannels?: WorkerChannelPort;
  /** The list of entries that is kept even while no gateway runs. */
  readonly inbox?: InboxPort;
  /** The analyses that may be running. Without it no analysis is ended because its worker is lost. */
  readonly running?: RunningIndexPort;
  /** Begins to try the broker part by part. It connects by itself, and its caller closes it. */
  readonly selfCheck?: () => BrokerSelfCheck;
}

/** A way in for workers that not every broker has. */
export type BrokerCapability = "worker_channels" | "inbox";

/** The ways in for workers that a broker lacks. */
export function missingCapabilities(broker: BrokerPorts): BrokerCapability[] {
  const declared = capabilitiesOf(broker);
  return (["worker_channels", "inbox"] as const).filter((capability) => !declared.includes(capability));
}

/**
 * Everything that a broker declares, in words for operators, as far as it is known by now. Never waits for the broker.
 *
 * - `dead_letters`, `inbox`, `worker_channels`: the ways for messages.
 * - `worker_channels_kept`: the broker keeps the messages of worker channels while no gateway runs.
 * - `durability:process`, `durability:memory` or `durability:disk`, and `replicas:N` (`Durability`).
 */
export function capabilitiesOf({ events, inbox, workerChannels }: BrokerPorts): string[] {
  const isKept = inbox?.takesWorkerChannels === true;
  const { keptIn, replicas } = events.durability;
  return [
    "dead_letters",
    ...(inbox === undefined ? [] : ["inbox"]),
    ...(workerChannels === undefined && !isKept ? [] : ["worker_channels"]),
    ...(isKept ? ["worker_channels_kept"] : []),
    ...(keptIn === undefined ? [] : [`durability:${keptIn}`]),
    ...(replicas === undefined ? [] : [`replicas:${replicas}`]),
  ];
}

/** Closes every port of the bundle, those first that bring messages in. */
export async function closeBroker({
  events,
  deadLetters,
  workerChannels,
  inbox,
}: BrokerPorts): Promise<void> {
  await Promise.all([inbox?.close(), workerChannels?.close()]);
  await Promise.all([deadLetters.close(), events.close()]);
}
