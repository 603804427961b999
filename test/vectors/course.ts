import type { DeduplicationKey } from "../../src/application/ports/deduplication-key.ts";
import type { AppendOutcome, PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../src/domain/analysis-event.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";

/**
 * A shared vector: appends to one channel, with the outcome of each and the state that they leave. The domain and the
 * scripts of Redis judge events in two languages, and must agree on every one of these.
 */
export interface Course {
  /** Subject, verb, criterion. */
  readonly name: string;
  /** Size of the history; 1,000 if left out. */
  readonly size?: number;
  readonly steps: readonly CourseStep[];
  readonly leaves: CourseState;
}

export type CourseStep =
  | {
      readonly events: readonly EncodedEvent[];
      /** `stored 1-2`, `duplicate 1-2`, or the code of the refusal and the index of the refused event. */
      readonly outcome: string;
      readonly key?: DeduplicationKey | undefined;
    }
  /** At least so many milliseconds pass on the broker's clock. */
  | { readonly elapse: number };

/** Events by their offsets. */
export interface CourseState {
  readonly offset: number;
  readonly status?: number;
  readonly terminal?: number;
  readonly attempt?: string;
  /** `stage offset` for each mark. */
  readonly stages?: readonly string[];
  /** Events in the history that reopened the analysis. */
  readonly reopening?: readonly number[];
  /** 1 if left out. */
  readonly oldestKept?: number;
}

export function append(
  events: EncodedEvent | readonly EncodedEvent[],
  outcome: string,
  key?: DeduplicationKey,
): CourseStep {
  return { events: Array.isArray(events) ? events : [events as EncodedEvent], outcome, key };
}

export function elapse(milliseconds: number): CourseStep {
  return { elapse: milliseconds };
}

export interface Walked {
  readonly outcomes: readonly string[];
  readonly leaves: CourseState;
}

/** Walks through the course on a broker. Answers the outcomes and the state, to be compared with those of the course. */
export async function walk(
  course: Course,
  node: PubSubPort,
  pass: (milliseconds: number) => Promise<void>,
): Promise<Walked> {
  const channel = someAnalysis();
  const outcomes: string[] = [];
  for (const step of course.steps) {
    if ("elapse" in step) {
      await pass(step.elapse);
      continue;
    }
    const { events, key } = step;
    outcomes.push(
      told(await node.append({ channel, events, ...(key !== undefined && { deduplicate: key }) })),
    );
  }
  const { position, lastStatus, currentTerminal, attemptId, stages, oldestKept } =
    await node.snapshot(channel);
  const page = await node.history(channel, undefined, 2_000);
  const state = {
    offset: position.offset,
    status: lastStatus?.position.offset,
    terminal: currentTerminal?.position.offset,
    attempt: attemptId,
    stages: stages.map(({ stage, offset }) => `${stage} ${offset}`),
    reopening: page.events.filter(({ reopens }) => reopens).map((event) => event.position.offset),
    oldestKept,
  };
  return { outcomes, leaves: state as CourseState };
}

/** The same of the course itself: whatever it leaves out is nothing. */
export function expected({ steps, leaves }: Course): Walked {
  const outcomes = steps.flatMap((step) => ("elapse" in step ? [] : [step.outcome]));
  const nothing = { status: undefined, terminal: undefined, attempt: undefined };
  const state = { ...nothing, stages: [], reopening: [], oldestKept: 1, ...leaves };
  return { outcomes, leaves: state as CourseState };
}

function told(outcome: AppendOutcome): string {
  if (outcome.type === "refused") return `${outcome.code} ${outcome.index}`;
  const last = outcome.firstOffset + outcome.count - 1;
  return `${outcome.type} ${outcome.firstOffset}${outcome.count === 1 ? "" : `-${last}`}`;
}
