/** Stages that are no step of the work: the analysis waits, or is over. */
const NO_STEPS: ReadonlySet<string> = new Set(["queued", "completed", "failed", "cancelled"]);

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
 * The steps of an analysis: the stages that a page knows, in their order, or, if its worker has named another one, those
 * that it has named, in the order in which it came to them.
 */
export function stepsOf({ seen, status }: Worked, known: readonly string[]): Step[] {
  const worked = seen.filter((stage) => !NO_STEPS.has(stage));
  const isKnown = worked.every((stage) => known.includes(stage));
  const stages = isKnown ? known : [...new Set(worked)];
  const places = worked.map((stage) => stages.indexOf(stage));
  const reached = isKnown ? Math.max(-1, ...places) : (places.at(-1) ?? -1);
  return stages.map((stage, index) => {
    if (status === "completed") return { stage, mark: "done" };
    if (index !== reached) return { stage, mark: isKnown && index > reached ? "ahead" : "done" };
    if (status === "failed" || status === "cancelled") return { stage, mark: "stopped" };
    return { stage, mark: status === "queued" ? "done" : "current" };
  });
}
