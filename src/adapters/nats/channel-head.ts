import { NO_ATTEMPTS } from "../../domain/attempts.ts";
import { type ChannelRecord, newRecord, type PublishedEvent } from "../../domain/channel-record.ts";
import { NO_RUN } from "../../domain/current-run.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { courseOfMessage, isOurs, isVoid, positionsOf, stateOfMessage } from "./channel-message.ts";
import type { ChannelCourse, ChannelState } from "./channel-state.ts";
import type { EventStream, StoredMessage } from "./event-stream.ts";
import { messageBefore } from "./message-before.ts";
import { messageAt } from "./message-copies.ts";
import { readAgain } from "./read-again.ts";
import type { ChannelSubjects } from "./subjects.ts";

/** A channel as its last valid message leaves it. */
export interface ChannelHead {
  /** The last message of the subject, valid or void; the next one must follow it. 0 if there is none. */
  readonly lastSequence: number;
  /** The history that the server was on when this was read. */
  readonly lineage: string;
  /** Undefined if the channel has no event, or has expired. */
  readonly kept: KeptHead | undefined;
}

export interface KeptHead {
  /** The last valid message. */
  readonly sequence: number;
  /** When it was stored, in milliseconds since 1970. */
  readonly at: number;
  readonly epoch: string;
  /** The offset of the last event. */
  readonly offset: number;
  readonly state: ChannelState;
  readonly course: ChannelCourse;
}

/** Reads the last valid message of a channel. A channel expires `ttlMs` after it. */
export function readHead(
  stream: EventStream,
  subjects: ChannelSubjects,
  ttlMs: number,
): Promise<ChannelHead> {
  let missing = 0;
  return readAgain(async () => {
    const { lineage } = stream;
    const last = await stream.last(subjects.events);
    if (last === undefined) return { lastSequence: 0, lineage, kept: undefined };
    const lastSequence = last.sequence;
    const valid = await lastValid(stream, last);
    if (valid === undefined || hasExpired(valid.at, ttlMs, stream.now()))
      return { lastSequence, lineage, kept: undefined };
    const state = stateOfMessage(valid.text, valid.sequence);
    const course = await messageAt(stream, subjects.copies.course, state.courseAt, valid);
    // If it is gone, somebody trimmed the channel between the two questions, or it has begun anew.
    if (course === undefined && missing !== state.courseAt) {
      missing = state.courseAt;
      return undefined;
    }
    const known = course === undefined ? lostCourse(valid, state) : courseOfMessage(course, state.courseAt);
    return { lastSequence, lineage, kept: headOf(valid, state, known) };
  });
}

/** Reads the position of a channel's last event; undefined if it has none, or has expired. */
export async function readLastPosition(
  stream: EventStream,
  subjects: ChannelSubjects,
  ttlMs: number,
): Promise<LastPosition | undefined> {
  const last = await stream.last(subjects.events);
  const valid = last && (await lastValid(stream, last));
  if (valid === undefined || hasExpired(valid.at, ttlMs, stream.now())) return undefined;
  const { epoch, first, count } = positionsOf(valid.text);
  const { currentTerminal } = stateOfMessage(valid.text, valid.sequence);
  return { epoch, offset: first + count - 1, at: valid.at, hasEnded: currentTerminal !== undefined };
}

/** The last position of a channel, and when its last message was stored, in milliseconds since 1970. */
interface LastPosition extends EventPosition {
  readonly at: number;
  /** Whether a terminal event is current. */
  readonly hasEnded: boolean;
}

export function hasExpired(at: number, ttlMs: number, now: number): boolean {
  return at + ttlMs <= now;
}

/** Whether the text that was stored beside a channel at `at` is kept: for the time to live, or as long as the channel's events. */
export function isKeptBeside(at: number, ttlMs: number, now: number, kept: KeptHead | undefined): boolean {
  return now < at + ttlMs || (kept !== undefined && kept.course.bornAt < at + ttlMs);
}

/**
 * Stands for a course that the stream has lost: every message after it has the epoch of the last one. No lineage is called
 * so, so the next append begins an epoch.
 */
function lostCourse({ text, at }: StoredMessage, { courseAt }: ChannelState): ChannelCourse {
  return {
    birth: `lost${courseAt}`,
    bornAfter: courseAt,
    bornAt: at,
    lineage: "",
    spans: [{ epoch: positionsOf(text).epoch, firstOffset: 1 }],
    attempts: NO_ATTEMPTS,
    stages: [],
    run: NO_RUN,
    renamed: [],
  };
}

/** Follows the chain of messages back to the first that is not void. The node that wrote a message had read the one before. */
async function lastValid(stream: EventStream, last: StoredMessage): Promise<StoredMessage | undefined> {
  let message: StoredMessage | undefined = last;
  while (message !== undefined && isVoid(message)) {
    message = await messageFollowedBy(stream, message);
  }
  return message;
}

/** Reads the message that a void one follows. One that is none of ours names none, so that it is the last before it. */
async function messageFollowedBy(
  stream: EventStream,
  { subject, sequence, text }: StoredMessage,
): Promise<StoredMessage | undefined> {
  if (!isOurs(text)) return messageBefore(stream, subject, sequence);
  const { previous } = stateOfMessage(text, sequence);
  if (previous === 0) return undefined;
  return (await stream.at(previous)) ?? messageBefore(stream, subject, previous);
}

function headOf(message: StoredMessage, state: ChannelState, course: ChannelCourse): KeptHead {
  const { epoch, first, count } = positionsOf(message.text);
  return { sequence: message.sequence, at: message.at, epoch, offset: first + count - 1, state, course };
}

/** Stands for an event that the record refers to and that nobody has read. */
export const ELSEWHERE: PublishedEvent = {
  position: { epoch: "", offset: 0 },
  kind: "status",
  reopens: false,
  text: "",
};

/** The record that the rules of a channel work on. It may be changed. */
export function recordOf(kept: KeptHead | undefined, epoch: string): ChannelRecord {
  if (kept === undefined) return newRecord(epoch);
  const { state, course, offset } = kept;
  return {
    epoch,
    offset,
    lastStatus: state.lastStatus && ELSEWHERE,
    currentTerminal: state.currentTerminal && ELSEWHERE,
    stages: [...course.stages],
    attempts: course.attempts ?? NO_ATTEMPTS,
    run: course.run,
  };
}
