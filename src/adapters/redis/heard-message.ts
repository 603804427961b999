import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { ChannelSubscriber } from "../../application/ports/pub-sub-port.ts";
import { ageOfStamped } from "../broker/append-stamp.ts";
import {
  CANCEL_FLAG,
  cancelRequestOf,
  eventOfMessage,
  VIEWERS_FLAG,
  viewersOfText,
} from "./stored-format.ts";

export interface Clocks {
  /** The gateway's own. */
  readonly clock: ClockPort;
  /** The clock of the server that appends, in milliseconds since 1970; undefined as long as nobody knows. */
  readonly serverTime: () => number | undefined;
}

/** Reads a message of a channel: how a subscriber is told of it. Throws if no gateway published it. */
export function deliveryOf(
  message: string,
  { clock, serverTime }: Clocks,
): (subscriber: ChannelSubscriber) => void {
  if (message.startsWith(VIEWERS_FLAG)) {
    const viewers = viewersOfText(message.slice(1));
    return (subscriber) => subscriber.viewersChanged(viewers);
  }
  if (message.startsWith(CANCEL_FLAG)) {
    const request = cancelRequestOf(message.slice(1));
    return (subscriber) => subscriber.cancelRequested(request);
  }
  const event = eventOfMessage(message);
  const now = serverTime();
  const age = now === undefined ? undefined : ageOfStamped(message, now);
  const appendedAt = age === undefined ? undefined : clock.now() - age;
  return (subscriber) => subscriber.event(event, appendedAt);
}
