import { hasExpired } from "./channel-head.ts";
import type { EventStream } from "./event-stream.ts";
import { ALL_OF_LOG, eventsSubjectBeside } from "./subjects.ts";

/** A channel stays so much longer than its time to live, in milliseconds, since clocks differ. */
const GRACE_MS = 60_000;

/**
 * Removes what expired channels left in the stream. It looks at messages in order from the sequence `from` on, at most at
 * `most` of them, and resolves with the sequence at which to go on. That is 1 once it has come to messages that are too
 * young to have expired. Rejects as `EventStream`.
 */
export async function sweepExpired(
  stream: EventStream,
  ttlMs: number,
  from: number,
  most: number,
): Promise<number> {
  let next = from;
  for (let looked = 0; looked < most; looked++) {
    const message = await stream.from(ALL_OF_LOG, next);
    if (message === undefined || !hasExpired(message.at, ttlMs + GRACE_MS, stream.now())) return 1;
    next = message.sequence + 1;
    const events = eventsSubjectBeside(message.subject);
    if (events === undefined) continue;
    const last = await stream.last(events);
    // Its viewers and its copies live as long as its events.
    if (last !== undefined && !hasExpired(last.at, ttlMs + GRACE_MS, stream.now())) continue;
    const end = last !== undefined && message.subject === events ? last.sequence : message.sequence;
    await stream.removeBefore(message.subject, end + 1);
  }
  return next;
}
