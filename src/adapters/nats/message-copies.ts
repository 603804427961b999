import type { EventStream, StoredMessage } from "./event-stream.ts";
import { messageBefore } from "./message-before.ts";

/**
 * Resolves with the text of the message at `sequence`, which the channel refers to: the message itself, or the copy that
 * trimming made of it. Undefined if both are gone. `known` is a message that was read already.
 */
export async function messageAt(
  stream: EventStream,
  copySubject: string,
  sequence: number,
  known?: StoredMessage,
): Promise<string | undefined> {
  if (known?.sequence === sequence) return known.text;
  const message = await stream.at(sequence);
  if (message !== undefined) return message.text;
  let copy = await stream.last(copySubject);
  while (copy !== undefined && !COPY.test(copy.text))
    copy = await messageBefore(stream, copySubject, copy.sequence);
  if (copy === undefined) return undefined;
  const end = copy.text.indexOf("\n");
  return copy.text.slice(0, end) === `${sequence}` ? copy.text.slice(end + 1) : undefined;
}

/** A copy begins with the sequence of its message, on a line. */
const COPY = /^[0-9]+\n/;
