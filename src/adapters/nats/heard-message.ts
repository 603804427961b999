import type { Msg } from "@nats-io/transport-node";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { ChannelSubscriber } from "../../application/ports/pub-sub-port.ts";
import { cancelOfMessage } from "./channel-cancels.ts";
import { deadlineOf, eventsOfMessage } from "./channel-message.ts";
import { viewersOfMessage } from "./channel-viewers.ts";
import { CALL_MS } from "./nats-appends.ts";
import type { NatsClock } from "./nats-clock.ts";

/** How a subscriber is told of one event, of viewers, or of a request to cancel. */
export type Delivery = (subscriber: ChannelSubscriber) => void;

export interface HeardMessage {
  /** If the stream stored the message at this time of its clock or later, the message is void. */
  readonly deadline: number;
  readonly deliveries: readonly Delivery[];
}

interface Clocks {
  /** The gateway's own. */
  readonly clock: ClockPort;
  readonly brokerClock: NatsClock;
}

/** Reads a message of events that the stream published again. Throws if no gateway wrote it. */
export function heardEvents(message: Msg, { clock, brokerClock }: Clocks): HeardMessage {
  const text = message.string();
  const deadline = deadlineOf(text);
  const told = message.headers?.get("Nats-Time-Stamp");
  // A server that does not tell when it stored the message leaves the time of the append call.
  const age = brokerClock.since(told ? Date.parse(told) : deadline - CALL_MS);
  const appendedAt = age === undefined ? undefined : clock.now() - age;
  const { events } = eventsOfMessage(text);
  return { deadline, deliveries: events.map((event) => (subscriber) => subscriber.event(event, appendedAt)) };
}

/** As `heardEvents`, of viewers. */
export function heardViewers(message: Msg): HeardMessage {
  const { deadline, viewers } = viewersOfMessage(message.string());
  return { deadline, deliveries: [(subscriber) => subscriber.viewersChanged(viewers)] };
}

/** As `heardEvents`, of a request to cancel. */
export function heardCancel(message: Msg): HeardMessage {
  const { deadline, request } = cancelOfMessage(message.string());
  return { deadline, deliveries: [(subscriber) => subscriber.cancelRequested(request)] };
}
