/**
 * `telltale/adapter`: the rules of a channel and the parts that the adapters of Telltale share, for an adapter from
 * outside. The doc comment of each part names the rules that it serves.
 */
export type { AppendCall } from "../adapters/broker/append-queue.ts";
export { AppendQueue } from "../adapters/broker/append-queue.ts";
export { BrokerClock } from "../adapters/broker/broker-clock.ts";
export { LastingDenial } from "../adapters/broker/lasting-denial.ts";
export { OutageLog } from "../adapters/broker/outage-log.ts";
export { RetryPauses } from "../adapters/broker/repeated-failures.ts";
export { Slots } from "../adapters/broker/slots.ts";
export { randomEpoch } from "../adapters/system/random-epoch.ts";
export { SystemClock } from "../adapters/system/system-clock.ts";
export { reasonOf } from "../application/errors.ts";
export { isSuperseded } from "../domain/attempts.ts";
export { fill } from "../domain/byte-budget.ts";
export type { KeptCancel } from "../domain/cancel-request.ts";
export { cancelAtEnd, cancelInForce, cancelOfText, cancelToText } from "../domain/cancel-request.ts";
export type { ChannelRecord, PublishedEvent } from "../domain/channel-record.ts";
export { appendToRecord, mostKept, newRecord } from "../domain/channel-record.ts";
export type { CurrentRun } from "../domain/current-run.ts";
export { isOver, NO_RUN, runKept } from "../domain/current-run.ts";
export { MAX_EVENT_BYTES } from "../domain/decode-event.ts";
export type { StoredKind } from "../domain/event-kind.ts";
export { kindOfStored, storedKindOf } from "../domain/event-kind.ts";
export { isOnHistory, parseEventId, positionOfText, textWithEventId } from "../domain/event-position.ts";
export { exceedsBytes, firstBytes, lastBytes, utf8Length } from "../domain/utf8.ts";
