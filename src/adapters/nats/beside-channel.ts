import { BrokerUnavailable } from "../../application/errors.ts";
import type { EventStream, StoredMessage } from "./event-stream.ts";
import { messageBefore } from "./message-before.ts";
import { publishInTime } from "./publish-in-time.ts";

/*
 * A text that is kept beside a channel, as its viewers are: a chain of messages as its events are, of which the last valid
 * one counts. Each is a line `deadline previous` and the text.
 */

export interface BesideChannel {
  readonly text: string;
  /** When it was stored, in milliseconds since 1970. */
  readonly at: number;
  readonly sequence: number;
}

/** Whether a gateway may have written a text. Anybody who may publish below `telltale.log` can put another one there. */
type IsOurs = (text: string) => boolean;

/** Reads the text that was stored last, however long ago. */
export async function readBeside(
  stream: EventStream,
  subject: string,
  isOurs: IsOurs,
): Promise<BesideChannel | undefined> {
  const last = await stream.last(subject);
  return last && lastValid(stream, last, isOurs);
}

/** Stores a text in place of the one before. Rejects as `EventStream` does. */
export async function storeBeside(
  stream: EventStream,
  subject: string,
  { text, isOurs, deadline }: { readonly text: string; readonly isOurs: IsOurs; readonly deadline: number },
): Promise<void> {
  while (stream.now() < deadline) {
    const { lineage } = stream;
    const last = await stream.last(subject);
    const previous = last === undefined ? undefined : await lastValid(stream, last, isOurs);
    const message = `${deadline} ${previous?.sequence ?? 0}\n${text}`;
    const publication = { subject, text: message, expected: last?.sequence ?? 0, deadline };
    const answer = await publishInTime(stream, publication, lineage);
    if (answer.type !== "stored") continue;
    await stream.removeBefore(subject, answer.sequence);
    return;
  }
  throw new BrokerUnavailable("it was not stored before its deadline", { trouble: { cause: "late" } });
}

interface BesideMessage {
  readonly deadline: number;
  readonly previous: number;
  readonly text: string;
}

/** Reads a message; undefined if no gateway wrote it. */
export function besideMessage(message: string, isOurs: IsOurs): BesideMessage | undefined {
  const [line, deadline, previous] = /^([0-9]+) ([0-9]+)\n/.exec(message) ?? [];
  if (line === undefined) return undefined;
  const text = message.slice(line.length);
  return isOurs(text) ? { deadline: Number(deadline), previous: Number(previous), text } : undefined;
}

/** Follows the messages back to the first that came in time. One that no gateway wrote names none that it follows. */
async function lastValid(
  stream: EventStream,
  last: StoredMessage,
  isOurs: IsOurs,
): Promise<BesideChannel | undefined> {
  let message: StoredMessage | undefined = last;
  while (message !== undefined) {
    const { subject, sequence, at, text }: StoredMessage = message;
    const own = besideMessage(text, isOurs);
    if (own !== undefined && at < own.deadline) return { text: own.text, at, sequence };
    if (own === undefined) message = await messageBefore(stream, subject, sequence);
    else message = own.previous === 0 ? undefined : await stream.at(own.previous);
  }
  return undefined;
}
