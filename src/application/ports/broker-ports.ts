import type { DeadLetterPort } from "./dead-letter-port.ts";
import type { InboxPort } from "./inbox-port.ts";
import type { PubSubPort } from "./pub-sub-port.ts";
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
}

export type BrokerCapability = "workerChannels" | "inbox";

/** The capabilities that a broker lacks. */
export function missingCapabilities(broker: BrokerPorts): BrokerCapability[] {
  return (["workerChannels", "inbox"] as const).filter((capability) => broker[capability] === undefined);
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
