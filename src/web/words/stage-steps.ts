import { isEnd } from "../../domain/analysis-state.ts";

/** A step of a timeline, and how far the analysis is with it. */
export interface Step {
  readonly stage: string;
  /** `current`: it works on it. If the analysis ended there before it was done, `stopped`. */
  readonly mark: "done" | "current" | "stopped" | "ahead";
}

/** An analysis, as far as its steps show it. */
interface Worked {
  /** The stages that were reported, in order. */
  readonly seen: readonly string[];
  readonly status: string;
}

/**
 * The steps of an analysis: those that its worker has named, in the order in which it came to them. If all of them are `expected` ones, they
 * come in that order, and the expected ones that are ahead follow.
 */
export function stepsOf({ seen, status }: Worked, expected: readonly string[]): Step[] {
  const worked = seen.filter(isStep);
  const isExpected = worked.every((stage) => expected.includes(stage));
  const named = isExpected ? expected.filter((stage) => worked.includes(stage)) : [...new Set(worked)];
  const last = isExpected ? named.at(-1) : worked.at(-1);
  const done = named.map((stage): Step => ({ stage, mark: stage === last ? markOfLast(status) : "done" }));
  // An analysis that is over without a step of the work had no such steps.
  const isAhead = isExpected && status !== "completed" && (worked.length > 0 || !isEnd(status));
  const ahead = isAhead ? expected.slice(last === undefined ? 0 : expected.indexOf(last) + 1) : [];
  return [...done, ...ahead.map((stage): Step => ({ stage, mark: "ahead" }))];
}

/** Whether a stage is a step of the work: else the analysis waits, or is over. */
export function isStep(stage: string): boolean {
  return stage !== "queued" && !isEnd(stage);
}

function markOfLast(status: string): Step["mark"] {
  if (status === "failed" || status === "cancelled") return "stopped";
  return status === "completed" || status === "queued" ? "done" : "current";
}
