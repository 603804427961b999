import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { must } from "./judge.ts";
import type { ModelNode } from "./model-node.ts";

/** One PUBLISH of a worker. */
export interface Publication {
  /** The number in its content: the same bytes bear the same number when they are published again. */
  readonly sequence: number;
  readonly channel: AnalysisChannel;
  readonly payload: string;
  readonly at: number;
  /** The process of the broker that it was published on. */
  run: string;
  readonly heardBy: Hearing[];
}

export interface Hearing {
  readonly node: ModelNode;
  /** The connection of the node that it was heard on. */
  readonly spell: number;
  /** Whether the others counted as this node did when it heard it. */
  readonly shared: boolean;
}

/** The log of one analysis in the end. */
export interface Outcome {
  readonly channel: AnalysisChannel;
  /** Numbers in the order of the log. */
  readonly log: readonly number[];
  /** Whether a number may rightly be missing, or out of place: lost by a broker, refused. */
  readonly excused: (sequence: number) => boolean;
}

/** Judges what was published bare on one analysis against its log. */
export function checkBare(all: readonly Publication[], { channel, log, excused }: Outcome): void {
  const published = all.filter((one) => one.channel === channel);
  for (const [sequence, ofOne] of Map.groupBy(published, (one) => one.sequence)) {
    const stored = log.filter((one) => one === sequence).length;
    must(stored <= ofOne.length, `a message that was published once is stored once (number ${sequence})`);
    if (excused(sequence)) continue;
    const least = leastOf(published, ofOne);
    must(
      stored >= least,
      `a message that a gateway heard is stored, and a repeat as well (number ${sequence}: ${stored}/${least})`,
    );
  }
  checkOrder(published, log, excused);
  checkWhole(published, log, excused);
}

/** The number of events that the luckiest running node can vouch for: it heard something else between them. */
function leastOf(published: readonly Publication[], ofOne: readonly Publication[]): number {
  const spells = Map.groupBy(
    ofOne.flatMap(({ heardBy }) => heardBy).filter(({ node }) => node.state === "running"),
    ({ node, spell }) => `${node.id} ${spell}`,
  );
  const counts = [...spells.values()].map((hearings) => {
    const [{ node, spell }] = hearings as [Hearing];
    const heard = published.filter(({ heardBy }) =>
      heardBy.some((one) => one.node === node && one.spell === spell),
    );
    const apart = heard.filter((one, index) => {
      return one.sequence === ofOne[0]?.sequence && heard[index - 1]?.sequence !== one.sequence;
    }).length;
    // A repeat that it alone counted may be a message that others heard before it. One broker cannot tell of
    // another's marks.
    const isAlone = ofOne.every(({ heardBy }) => heardBy.every((one) => one.node === node));
    const counted = isAlone || hearings.every(({ shared }) => shared);
    return counted && ofOne.every(({ run }) => run === ofOne[0]?.run) ? apart : 1;
  });
  return Math.max(0, ...counts);
}

/** The messages of one worker are stored in the order published, if every node could know that order. */
function checkOrder(
  published: readonly Publication[],
  log: readonly number[],
  excused: Outcome["excused"],
): void {
  const once = published.filter(
    ({ sequence }) =>
      log.includes(sequence) &&
      !excused(sequence) &&
      published.filter((one) => one.sequence === sequence).length === 1,
  );
  for (const [index, later] of once.entries()) {
    for (const earlier of once.slice(0, index)) {
      if (!knewOf(earlier, later)) continue;
      const isInOrder = log.indexOf(earlier.sequence) < log.indexOf(later.sequence);
      must(
        isInOrder,
        `bare messages are stored in the order published (${earlier.sequence} before ${later.sequence})`,
      );
    }
  }
}

/** If no node missed a message before the ones that it heard, the log is all that was published but the retries. */
function checkWhole(
  published: readonly Publication[],
  log: readonly number[],
  excused: Outcome["excused"],
): void {
  const isSure = ({ sequence, heardBy }: Publication) =>
    !excused(sequence) && heardBy.some(({ node }) => node.state === "running");
  if (!published.every(isSure)) return;
  for (const [index, later] of published.entries()) {
    if (published.slice(0, index).some((earlier) => !knewOf(earlier, later))) return;
  }
  const bare = new Set(published.map(({ sequence }) => sequence));
  const stored = withoutRetries(log.filter((sequence) => bare.has(sequence)));
  const expected = withoutRetries(published.map(({ sequence }) => sequence));
  must(
    `${stored}` === `${expected}`,
    `messages that every node heard are stored as published (${stored}, not ${expected})`,
  );
}

/** Whether everybody who heard the one had heard the other, on the same connection. */
function knewOf(earlier: Publication, later: Publication): boolean {
  return later.heardBy.every(({ node, spell }) =>
    earlier.heardBy.some((one) => one.node === node && one.spell === spell),
  );
}

function withoutRetries(sequences: readonly number[]): number[] {
  return sequences.filter((sequence, index) => sequence !== sequences[index - 1]);
}
