import type { KeptHead } from "./channel-head.ts";
import { isOurs, positionsOf } from "./channel-message.ts";
import type { EventStream } from "./event-stream.ts";

/** A message, as the search knows it. */
export interface SearchedMessage {
  readonly sequence: number;
  readonly at: number;
  /** The offset of its first event. */
  readonly first: number;
}

/**
 * Finds a message of the channel's present life for which `isBefore` holds, near the last one, and resolves with its
 * sequence; if it holds for none, with the sequence after which the life began. `isBefore` must hold for the messages up to
 * some point and for none after it. Up to `near` sequences may lie between the message and that point. The sequences of one channel lie among those of all others, so it halves what is left.
 */
export async function lastMessageBefore(
  stream: EventStream,
  subject: string,
  { sequence, course, state }: KeptHead,
  isBefore: (message: SearchedMessage) => boolean,
  near: number,
): Promise<number> {
  // Messages up to `low` are before, those from `high` on are not, or it is the last one.
  let low = course.bornAfter + 1;
  let high = sequence;
  if (state.previous === 0) return sequence;
  while (high - low > near) {
    const middle = low + Math.floor((high - low) / 2);
    let message = await stream.from(subject, middle);
    while (message !== undefined && message.sequence < high && !isOurs(message.text))
      message = await stream.from(subject, message.sequence + 1);
    if (message === undefined || message.sequence >= high) {
      high = middle;
      continue;
    }
    const { first } = positionsOf(message.text);
    if (isBefore({ sequence: message.sequence, at: message.at, first })) low = message.sequence;
    else high = middle;
  }
  return low;
}
