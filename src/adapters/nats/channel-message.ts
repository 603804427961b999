import { NewerFormat } from "../../application/errors.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import { kindOfStored, type StoredKind, storedKindOf } from "../../domain/event-kind.ts";
import { textWithEventId } from "../../domain/event-position.ts";
import {
  type ChannelCourse,
  type ChannelState,
  decodeCourse,
  decodeState,
  encodeState,
} from "./channel-state.ts";
import type { StoredMessage } from "./event-stream.ts";

/*
 * The messages of a channel. Each holds the events of one append and, beside them, what the channel is after it. Three
 * parts follow each other:
 *
 *   format epoch first-offset deadline flag-and-length …     one line, all that delivery needs
 *   [previous, oldest kept, …]                               one line of JSON, see `ChannelState`
 *   the members of the events, one after the other           as long as the first line says, in UTF-16 units
 */

/** The format that this version writes, and the newest that it reads. */
export const NEWEST_FORMAT = 1;

/** The events of a message, and when it counts. */
export interface MessageEvents {
  readonly epoch: string;
  readonly first: number;
  /** If the stream stored the message at this time of its clock or later, the message is void: nobody reads it. */
  readonly deadline: number;
  readonly events: readonly PublishedEvent[];
}

export interface NewMessage {
  readonly epoch: string;
  readonly first: number;
  readonly deadline: number;
  readonly events: readonly EncodedEvent[];
  /** By the index of the event. */
  readonly reopens: readonly boolean[];
  readonly state: ChannelState;
  /** Present if `state.courseAt` is 0. */
  readonly course: ChannelCourse | undefined;
}

export function encodeMessage(message: NewMessage): string {
  const { epoch, first, deadline, events, reopens, state, course } = message;
  let head = `${NEWEST_FORMAT} ${epoch} ${first} ${deadline}`;
  let members = "";
  for (const [index, event] of events.entries()) {
    const flag = FLAGS[storedKindOf(event.kind)];
    head += ` ${reopens[index] ? flag.toUpperCase() : flag}${event.members.length}`;
    members += event.members;
  }
  return `${head}\n${encodeState(state, course)}\n${members}`;
}

/** Reads the events of a message. Throws `NewerFormat`, and an ordinary error if it is no message of ours. */
export function eventsOfMessage(text: string): MessageEvents {
  const line = text.slice(0, text.indexOf("\n"));
  const [format, epoch = "", first, deadline, ...flags] = line.split(" ");
  assertReadable(format);
  const events: PublishedEvent[] = [];
  let start = text.indexOf("\n", line.length + 1) + 1;
  let offset = Number(first);
  for (const flag of flags) {
    const kind = KINDS.get(flag.charAt(0).toLowerCase());
    if (kind === undefined) throw new Error(`not a message of ours: flag ${flag.charAt(0)}`);
    const end = start + Number(flag.slice(1));
    const position = { epoch, offset };
    const reopens = flag.charAt(0) !== FLAGS[kind];
    const shown = textWithEventId(position, text.slice(start, end));
    events.push({ position, kind: kindOfStored(kind, shown), reopens, text: shown });
    start = end;
    offset++;
  }
  return { epoch, first: Number(first), deadline: Number(deadline), events };
}

/** Whether everybody takes the message for never stored: it came too late, or is none of ours. Throws `NewerFormat`. */
export function isVoid({ text, at }: StoredMessage): boolean {
  return !isOurs(text) || at >= deadlineOf(text);
}

/** Whether a gateway wrote the message. Anybody who may publish below `telltale.log` can put another one there. Throws `NewerFormat`. */
export function isOurs(text: string): boolean {
  try {
    const { first, deadline } = partsOf(text);
    return (
      Number.isSafeInteger(first) && !Number.isNaN(deadline) && Array.isArray(JSON.parse(stateLine(text)))
    );
  } catch (error) {
    if (error instanceof NewerFormat) throw error;
    return false;
  }
}

/** Reads only when a message counts. Throws as `eventsOfMessage` does. */
export function deadlineOf(text: string): number {
  return partsOf(text).deadline;
}

/** The positions of a message's events, without reading them. */
export function positionsOf(text: string): {
  readonly epoch: string;
  readonly first: number;
  readonly count: number;
} {
  return partsOf(text);
}

/** Reads the channel after a message that lies at `sequence`. Throws as `eventsOfMessage` does. */
export function stateOfMessage(text: string, sequence: number): ChannelState {
  return decodeState(stateLine(text), sequence);
}

/** Reads the course that a message holds that lay at `sequence` first. Throws if it holds none. */
export function courseOfMessage(text: string, sequence: number): ChannelCourse {
  return decodeCourse(stateLine(text), sequence);
}

function stateLine(text: string): string {
  assertReadable(text.slice(0, text.indexOf(" ")));
  const start = text.indexOf("\n") + 1;
  return text.slice(start, text.indexOf("\n", start));
}

function partsOf(text: string) {
  const [format, epoch = "", first, deadline, ...flags] = text.slice(0, text.indexOf("\n")).split(" ");
  assertReadable(format);
  return { epoch, first: Number(first), deadline: Number(deadline), count: flags.length };
}

function assertReadable(format: string | undefined): void {
  const number = Number(format);
  if (number > NEWEST_FORMAT) {
    const ours = `newer than ${NEWEST_FORMAT}: this gateway is too old for it`;
    throw new NewerFormat(`NATS holds a channel of format ${number}, ${ours}`);
  }
  if (number !== NEWEST_FORMAT) throw new Error("not a message of ours");
}

const FLAGS: Readonly<Record<StoredKind, string>> = {
  status: "s",
  status_completed: "c",
  status_failed: "f",
  result: "t",
  error: "e",
  notice: "n",
};

const KINDS: ReadonlyMap<string, StoredKind> = new Map(
  (Object.keys(FLAGS) as StoredKind[]).map((kind) => [FLAGS[kind], kind]),
);
