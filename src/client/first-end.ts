import type { EndStatus } from "../domain/analysis-state.ts";

/** An end of an analysis: what a result, an `error` or a status of such a stage says. */
export type End = "result" | "error" | EndStatus;

/** The other half of an end, since some workers report one in two. */
const OTHER_HALF: Readonly<Record<End, End | undefined>> = {
  result: "completed",
  completed: "result",
  error: "failed",
  failed: "error",
  cancelled: undefined,
};

/** An analysis has one end: the first that its worker says. */
export class FirstEnd {
  #said: End | undefined;
  #isWhole = false;

  get isSaid(): boolean {
    return this.#said !== undefined;
  }

  /** Notes an end that is said. Answers whether it counts: it is the first, or the other half of the first. */
  counts(end: End): boolean {
    if (this.#said === undefined) {
      this.#said = end;
      return true;
    }
    if (this.#isWhole || OTHER_HALF[this.#said] !== end) return false;
    this.#isWhole = true;
    return true;
  }
}
