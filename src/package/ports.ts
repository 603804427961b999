/**
 * `telltale/ports`: the ports of a broker, and the errors that an adapter throws.
 *
 * An adapter from outside exports one function, `openBroker` (`OpenBroker`), and a gateway opens it with
 * `BROKER=module:…`. docs/WRITING-AN-ADAPTER.md is the guide, and `examples/minimal-broker` the smallest one.
 */
import type { BrokerPorts } from "../application/ports/broker-ports.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";

export type { BrokerCause, BrokerTrouble } from "../application/broker-trouble.ts";
export { wordsOf } from "../application/broker-trouble.ts";
export { BrokerUnavailable, NewerFormat, OutcomeUnknown, RequestTooLarge } from "../application/errors.ts";
export type { BrokerFault, BrokerHealth } from "../application/ports/broker-health.ts";
export type { BrokerCapability } from "../application/ports/broker-ports.ts";
export { capabilitiesOf, closeBroker } from "../application/ports/broker-ports.ts";
export type { BrokerPart, BrokerSelfCheck, PartFinding } from "../application/ports/broker-self-check.ts";
export type {
  DeadLetter,
  DeadLetterIdentity,
  DeadLetterKind,
  DeadLetterPort,
  KeptDeadLetter,
} from "../application/ports/dead-letter-port.ts";
export {
  DEAD_LETTER_BYTES,
  DEAD_LETTER_KINDS,
  DEAD_LETTER_PAGE,
  DEAD_LETTERS,
  identityOf,
  keptFields,
  kindOfDeadLetter,
} from "../application/ports/dead-letter-port.ts";
export type {
  DeduplicationKey,
  EntryKey,
  OccurrenceKey,
  RequestKey,
} from "../application/ports/deduplication-key.ts";
export type {
  InboxBacklog,
  InboxEntry,
  InboxEvent,
  InboxPort,
  Taken,
  UnreadableEntry,
} from "../application/ports/inbox-port.ts";
export {
  ASK_AGAIN_MS,
  ENTRY_KEY,
  INBOX,
  INBOX_BATCH,
  LEASE_MS,
  SHOWN_BYTES,
} from "../application/ports/inbox-port.ts";
export type {
  CounterName,
  GaugeName,
  HistogramName,
  LabelsOf,
} from "../application/ports/metric-names.ts";
export type {
  AppendOutcome,
  AppendRequest,
  AttemptRefusal,
  CancelRequest,
  ChannelPosition,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  Durability,
  HistoryPage,
  PublishedEvent,
  PubSubPort,
  StageMark,
  WorkerAnswer,
} from "../application/ports/pub-sub-port.ts";
export { MOST_POSITIONS, PAGE_BYTES } from "../application/ports/pub-sub-port.ts";
export type { IndexedAnalysis, RunningIndexPort } from "../application/ports/running-index-port.ts";
export { MOST_INDEXED } from "../application/ports/running-index-port.ts";
export type { LogFields, LogLevel } from "../application/ports/telemetry-port.ts";
export type { BareMessage, Listening, WorkerChannelPort } from "../application/ports/worker-channel-port.ts";
export type { ViewerList } from "../domain/access-grant.ts";
export type { EncodedEvent } from "../domain/analysis-event.ts";
export type { ByteBudget } from "../domain/byte-budget.ts";
export type { AnalysisChannel, ChannelName } from "../domain/channel.ts";
export type { EventKind } from "../domain/event-kind.ts";
export type { EpochSpan, EventPosition, KeptHistory } from "../domain/event-position.ts";
export type { AppendedOccurrence, Occurrence } from "../domain/occurrence.ts";
export type { BrokerPorts, ClockPort, TelemetryPort };

/** The things that a gateway gives to the module of its broker. */
export interface BrokerContext {
  /** The environment of the gateway. The settings of the module are its own to read and to check. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** How many events of a channel are kept at least, and for how many milliseconds after the last one. */
  readonly history: { readonly size: number; readonly ttlMs: number };
  /** The plain channels that the gateway listens to, for a broker that has worker channels. */
  readonly listen: ReadonlySet<"analysis" | "user" | "system">;
}

/**
 * Opens the ports of one gateway. A module exports it as `openBroker`.
 *
 * It throws only if its settings are wrong: the gateway then says why and ends with exit code 78. If the broker is away,
 * it opens all the same, and `health()` says so.
 */
export type OpenBroker = (context: BrokerContext) => BrokerPorts | Promise<BrokerPorts>;
