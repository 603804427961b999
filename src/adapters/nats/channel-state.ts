import type { Attempts } from "../../domain/attempts.ts";
import { type CurrentRun, runKept } from "../../domain/current-run.ts";
import type { TerminalKind } from "../../domain/event-kind.ts";
import type { EpochSpan } from "../../domain/event-position.ts";
import type { StageMark } from "../../domain/stages.ts";
import type { EntryMarks } from "./entry-ids.ts";

/** The place of an event: its message, and its index there. */
export interface EventPlace {
  readonly sequence: number;
  readonly index: number;
}

/** The entries of the inbox that were stored on the channel, and the positions of the last one. */
export interface LastEntry extends EntryMarks {
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
  readonly run: CurrentRun;
  readonly renamed: readonly RenamedKey[];
}

/**
 * A key whose message has another id, because the stream still knew the key's own id for an earlier request. The stream forgets
 * that one first, and would take a repetition for a new request then.
 */
export interface RenamedKey {
  /** The key's name, as it is part of its own id. */
  readonly id: string;
  /** The message that holds the request; 0 for the one that holds the course, which cannot know its own. */
  readonly sequence: number;
  /** Milliseconds since 1970 on the broker's clock: a later request with the key is a new one. */
  readonly until: number;
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
    lastEntry: entry && entryIn(entry),
  };
}

/** Reads the course that the message at `sequence` holds: no sequence in it is 0 any more. Throws if it holds none. */
export function decodeCourse(line: string, sequence: number): ChannelCourse {
  const [, , course] = JSON.parse(line) as StateLine;
  if (typeof course === "number") throw new Error("the message holds no course");
  const [birth, bornAfter, bornAt, lineage, spans, current, past, outcome, marks, renamed = [], run] = course;
  const stages = marks.map(([stage, at, offset]) => ({ stage, at, offset }));
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
    stages,
    run: runKept(run && { since: run[0], begunAt: run[1] }, stages),
    renamed: renamed.map(([id, at, until]) => ({ id, sequence: at || sequence, until })),
  };
}

type StateLine = readonly [
  previous: number,
  oldestKept: number,
  course: CourseText | number,
  status: readonly [number, number] | 0,
  terminal: readonly [number, number] | 0,
  entry?: EntryText,
];

/** `latest` is left out if it is the furthest. Earlier gateways know no `latest` and ignore it. */
type EntryText = readonly [furthest: string, epoch: string, first: number, count: number, latest?: string];

/** Earlier gateways know no `run`, and write a course without it. */
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
  renamed?: readonly (readonly [id: string, sequence: number, until: number])[],
  run?: readonly [since: number, begunAt: number],
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
    ...(lastEntry ? ([entryText(lastEntry)] as const) : ([] as const)),
  ];
  return JSON.stringify(line);
}

function entryIn([furthest, epoch, first, count, latest = furthest]: EntryText): LastEntry {
  return { furthest, latest, epoch, first, count };
}

function entryText({ furthest, latest, epoch, first, count }: LastEntry): EntryText {
  return [furthest, epoch, first, count, ...(latest === furthest ? ([] as const) : ([latest] as const))];
}

function courseText({
  birth,
  bornAfter,
  bornAt,
  lineage,
  spans,
  attempts,
  stages,
  run,
  renamed,
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
    renamed.map(({ id, sequence, until }) => [id, sequence, until] as const),
    [run.since, run.begunAt],
  ];
}
