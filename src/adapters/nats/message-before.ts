import type { EventStream, StoredMessage } from "./event-stream.ts";

/** Finds the last message of the subject before a sequence; undefined if there is none. It halves what is left. */
export async function messageBefore(
  stream: EventStream,
  subject: string,
  sequence: number,
): Promise<StoredMessage | undefined> {
  let found: StoredMessage | undefined;
  for (let low = 1, high = sequence; low < high; ) {
    const middle = low + Math.floor((high - low) / 2);
    const message = await stream.from(subject, middle);
    if (message === undefined || message.sequence >= sequence) high = middle;
    else {
      found = message;
      low = message.sequence + 1;
    }
  }
  return found;
}
