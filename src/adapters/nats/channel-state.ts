import type { Attempts } from "../../domain/attempts.ts";
import type { TerminalKind } from "../../domain/event-kind.ts";
import type { EpochSpan } from "../../domain/event-position.ts";
import type { StageMark } from "../../domain/stages.ts";

/** The place of an event: its message, and its index there. */
export interface EventPlace {
  readonly sequence: number;
  readonly index: number;
}

/** The last entry of the inbox that was stored on the channel, and its positions. */
export interface LastEntry {
  readonly id: string;
  readonly epoch: string;
  readonly first: number;
  readonly count: number;
}

/** The channel after a message. A sequence of 0 means this very message, which cannot know its own. */
export interface ChannelState {
  /** The last valid message before this one; 0 if the channel began with this one. */
  readonly previous: number;
  readonly oldestKept: number;
  readonly lastStatus: EventPlace | undefined;
  readonly currentTerminal: EventPlace | undefined;
  readonly lastEntry: LastEntry | undefined;
  /** The message that holds the course. */
  readonly courseAt: number;
}

/** The part of a channel's state that most messages leave as it is. A message holds it only if it changed it. */
export interface ChannelCourse {
  /** Names this life of the counter. */
  readonly birth: string;
  /** All messages of this life have higher sequences. */
  readonly bornAfter: number;
  /** When the life began, in milliseconds since 1970. */
  readonly bornAt: number;
  readonly lineage: string;
  readonly spans: readonly EpochSpan[];
  readonly attempts: Attempts;
  readonly stages: readonly StageMark[];
}

/** Reads the state that the message at `sequence` holds: no sequence in it is 0 any more. */
export function decodeState(line: string, sequence: number): ChannelState {
  const [previous, oldestKept, course, status, terminal, entry] = JSON.parse(line) as StateLine;
  const place = (at: readonly [number, number] | 0): EventPlace | undefined =>
    at === 0 ? undefined : { sequence: at[0] || sequence, index: at[1] };
  return {
    previous,
    oldestKept,
    courseAt: typeof course === "number" ? course : sequence,
    lastStatus: place(status),
    currentTerminal: place(terminal),
    lastEntry: entry && { id: entry[0], epoch: entry[1], first: entry[2], count: entry[3] },
  };
}

/** Reads the course that a message holds. Throws if it holds none. */
export function decodeCourse(line: string): ChannelCourse {
  const [, , course] = JSON.parse(line) as StateLine;
  if (typeof course === "number") throw new Error("the message holds no course");
  const [birth, bornAfter, bornAt, lineage, spans, current, past, outcome, stages] = course;
  return {
    birth,
    bornAfter,
    bornAt,
    lineage,
    spans: spans.map(([epoch, firstOffset]) => ({ epoch, firstOffset })),
    attempts: {
      current: current ?? undefined,
      past,
      outcome: outcome ?? undefined,
    },
    stages: stages.map(([stage, at, offset]) => ({ stage, at, offset })),
  };
}

type StateLine = readonly [
  previous: number,
  oldestKept: number,
  course: CourseText | number,
  status: readonly [number, number] | 0,
  terminal: readonly [number, number] | 0,
  entry?: readonly [id: string, epoch: string, first: number, count: number],
];

type CourseText = readonly [
  birth: string,
  bornAfter: number,
  bornAt: number,
  lineage: string,
  spans: readonly (readonly [epoch: string, first: number])[],
  current: string | null,
  past: readonly string[],
  outcome: TerminalKind | null,
  stages: readonly (readonly [stage: string, at: string, offset: number])[],
];

export function encodeState(state: ChannelState, course: ChannelCourse | undefined): string {
  const { previous, oldestKept, lastStatus, currentTerminal, lastEntry, courseAt } = state;
  const place = (at: EventPlace | undefined) => at && ([at.sequence, at.index] as const);
  const line: StateLine = [
    previous,
    oldestKept,
    course === undefined ? courseAt : courseText(course),
    place(lastStatus) ?? 0,
    place(currentTerminal) ?? 0,
    ...(lastEntry
      ? ([[lastEntry.id, lastEntry.epoch, lastEntry.first, lastEntry.count]] as const)
      : ([] as const)),
  ];
  return JSON.stringify(line);
}

function courseText({
  birth,
  bornAfter,
  bornAt,
  lineage,
  spans,
  attempts,
  stages,
}: ChannelCourse): CourseText {
  return [
    birth,
    bornAfter,
    bornAt,
    lineage,
    spans.map(({ epoch, firstOffset }) => [epoch, firstOffset] as const),
    attempts.current ?? null,
    attempts.past,
    attempts.outcome ?? null,
    stages.map(({ stage, at, offset }) => [stage, at, offset] as const),
  ];
}
