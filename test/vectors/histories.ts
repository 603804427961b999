import { mostKept } from "../../src/domain/channel-record.ts";
import type { EventPosition, KeptHistory } from "../../src/domain/event-position.ts";

/** A shared vector: how a history came about, and which epochs are known of it then. */
export interface History {
  readonly name: string;
  readonly size: number;
  /** How many events are appended before each fork: after a fork the broker is on another lineage. */
  readonly appended: readonly number[];
  /** `epoch@first offset` of each span; epochs are numbered from 1, and begin with the first event after a fork. */
  readonly spans: readonly string[];
}

export const HISTORIES: readonly History[] = [
  { name: "a history of one epoch", size: 10, appended: [4], spans: ["1@1"] },
  { name: "a trimmed history of one epoch", size: 2, appended: [5], spans: ["1@1"] },
  { name: "a fork begins an epoch with the next event", size: 10, appended: [3, 2], spans: ["1@1", "2@4"] },
  { name: "a fork that no event follows begins none", size: 10, appended: [3, 0], spans: ["1@1"] },
  {
    name: "two forks with nothing in between begin one",
    size: 10,
    appended: [3, 0, 1],
    spans: ["1@1", "2@4"],
  },
  {
    name: "every event may be of an epoch of its own",
    size: 9,
    appended: [1, 1, 1],
    spans: ["1@1", "2@2", "3@3"],
  },
  // Kept are 4 and 5. The event before them is the last one of the first epoch.
  {
    name: "the epoch just before the oldest kept event stays",
    size: 2,
    appended: [3, 2],
    spans: ["1@1", "2@4"],
  },
  { name: "an epoch goes once it ends further back", size: 2, appended: [3, 5], spans: ["2@4"] },
  { name: "several epochs go at once", size: 2, appended: [1, 1, 1, 5], spans: ["4@4"] },
];

export interface JudgedPosition {
  readonly position: EventPosition;
  readonly isGood: boolean;
}

/** The history that its events leave, and every position on it or beside it, judged by the events themselves. */
export function outcomeOf({ size, appended, spans }: History): {
  readonly kept: KeptHistory;
  readonly positions: readonly JudgedPosition[];
} {
  const epochs = appended.flatMap((count, fork) => Array<number>(count).fill(fork));
  const numbers = [...new Set(epochs)];
  const epochAt = (offset: number) => `${numbers.indexOf(epochs[offset - 1] ?? -1) + 1}`;
  let kept = 0;
  for (const _ of epochs) kept = kept + 1 > mostKept(size) ? size : kept + 1;
  const newest = epochs.length;
  const oldestKept = newest - kept + 1;
  const positions: JudgedPosition[] = [];
  for (let offset = 0; offset <= newest + 1; offset++) {
    for (let epoch = 1; epoch <= numbers.length + 1; epoch++) {
      const isStored = offset === 0 || (offset <= newest && epochAt(offset) === `${epoch}`);
      const isGood = isStored && offset >= oldestKept - 1;
      positions.push({ position: { epoch: `${epoch}`, offset }, isGood });
    }
  }
  return { kept: { oldestKept, newest, spans: spans.map(spanOf) }, positions };
}

function spanOf(text: string) {
  const [epoch = "", first] = text.split("@");
  return { epoch, firstOffset: Number(first) };
}
