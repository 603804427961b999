import { BrokerUnavailable } from "../../application/errors.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { EventStream, StoredMessage } from "./event-stream.ts";
import { publishInTime } from "./publish-in-time.ts";

/*
 * The viewers of a channel: a chain of messages as its events are, of which the last valid one counts. Each is a line
 * `deadline previous` and the names in JSON.
 */

export interface DeclaredViewers {
  readonly viewers: ViewerList;
  /** When they were declared, in milliseconds since 1970. */
  readonly at: number;
}

/** Reads the last viewers that were declared, however long ago. */
export async function readViewers(
  stream: EventStream,
  subject: string,
): Promise<DeclaredViewers | undefined> {
  let message = await stream.last(subject);
  while (message !== undefined) {
    const { deadline, previous, viewers } = viewersOfMessage(message.text);
    if (message.at < deadline) return { viewers, at: message.at };
    message = previous === 0 ? undefined : await stream.at(previous);
  }
  return undefined;
}

/** Stores viewers in place of those before. Rejects as `EventStream` does. */
export async function storeViewers(
  stream: EventStream,
  subject: string,
  viewers: ViewerList,
  deadline: number,
): Promise<void> {
  while (stream.now() < deadline) {
    const { lineage } = stream;
    const last = await stream.last(subject);
    const previous = last === undefined ? 0 : await lastValidSequence(stream, last);
    const names = JSON.stringify(viewers === "*" ? viewers : [...viewers]);
    const text = `${deadline} ${previous}\n${names}`;
    const publication = { subject, text, expected: last?.sequence ?? 0, deadline };
    const answer = await publishInTime(stream, publication, lineage);
    if (answer.type !== "stored") continue;
    await stream.removeBefore(subject, answer.sequence);
    return;
  }
  throw new BrokerUnavailable("the viewers were not stored before their deadline", {
    trouble: { cause: "late" },
  });
}

/** Reads a message of viewers. */
export function viewersOfMessage(text: string): {
  readonly deadline: number;
  readonly previous: number;
  readonly viewers: ViewerList;
} {
  const end = text.indexOf("\n");
  const [deadline, previous] = text.slice(0, end).split(" ").map(Number);
  const names = JSON.parse(text.slice(end + 1)) as "*" | readonly string[];
  return {
    deadline: deadline ?? 0,
    previous: previous ?? 0,
    viewers: names === "*" ? names : new Set(names),
  };
}

async function lastValidSequence(stream: EventStream, last: StoredMessage): Promise<number> {
  let message: StoredMessage | undefined = last;
  while (message !== undefined) {
    const { deadline, previous } = viewersOfMessage(message.text);
    if (message.at < deadline) return message.sequence;
    message = previous === 0 ? undefined : await stream.at(previous);
  }
  return 0;
}
