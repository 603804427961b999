import { type KeptHead, readHead } from "./channel-head.ts";
import type { EventStream } from "./event-stream.ts";
import { messageAt } from "./message-copies.ts";
import { lastMessageBefore, type SearchedMessage } from "./message-search.ts";
import type { ChannelSubjects } from "./subjects.ts";

interface TrimTerms {
  readonly ttlMs: number;
  /** Messages stay for so long, in milliseconds, because a key of theirs may come again. */
  readonly keysKnownMs: number;
}

/** Milliseconds that the stream has for a copy. */
const COPY_MS = 2_000;

/**
 * Removes the messages of a channel that hold no event of its history any more. Before, it copies those that the channel
 * still refers to. If another node trims the channel at the same time, one of them does nothing. Rejects as `EventStream`.
 */
export async function trimChannel(
  stream: EventStream,
  subjects: ChannelSubjects,
  { ttlMs, keysKnownMs }: TrimTerms,
): Promise<void> {
  const { course, status, terminal } = subjects.copies;
  // Before the head: a node that copied something later has seen a later head.
  const copies = await Promise.all([course, status, terminal].map((subject) => stream.last(subject)));
  const { kept } = await readHead(stream, subjects, ttlMs);
  if (kept === undefined) return;
  const old = stream.now() - keysKnownMs;
  const isUnneeded = ({ first, at }: SearchedMessage) => first <= kept.state.oldestKept && at < old;
  const cut = await lastMessageBefore(stream, subjects.events, kept, isUnneeded, 1);
  for (const [index, [subject, sequence]] of referencesOf(kept, subjects).entries()) {
    if (sequence === undefined || sequence >= cut) continue;
    if (!(await copy(stream, subject, sequence, copies[index]?.sequence ?? 0))) return;
  }
  await stream.removeBefore(subjects.events, cut);
}

/** The messages that a channel refers to, with the subjects of their copies. */
function referencesOf({ state }: KeptHead, { copies }: ChannelSubjects) {
  return [
    [copies.course, state.courseAt],
    [copies.status, state.lastStatus?.sequence],
    [copies.terminal, state.currentTerminal?.sequence],
  ] as const;
}

/** Resolves with whether the stream has a copy of the message. */
async function copy(stream: EventStream, subject: string, sequence: number, last: number): Promise<boolean> {
  const { lineage } = stream;
  if ((await stream.at(sequence)) === undefined) return true;
  const text = await messageAt(stream, subject, sequence);
  if (text === undefined) return false;
  const deadline = stream.now() + COPY_MS;
  const publication = { subject, text: `${sequence}\n${text}`, expected: last, deadline };
  const answer = await stream.publish(publication, lineage);
  if (answer.type !== "stored") return false;
  await stream.removeBefore(subject, answer.sequence);
  return true;
}
