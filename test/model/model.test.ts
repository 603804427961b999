import { expect, test } from "bun:test";
import fc from "fast-check";
import { runModel } from "./run-model.ts";
import { type Step, steps } from "./steps.ts";
import type { WorldOptions } from "./world.ts";

const RUNS = Number(process.env.TELLTALE_MODEL_RUNS ?? 300);
const SEED = process.env.TELLTALE_MODEL_SEED;
/** Whether a failing run is made as short as possible. "0" if it only matters that one fails. */
const SHRINKS = process.env.TELLTALE_MODEL_SHRINK !== "0";
const PATH = process.env.TELLTALE_MODEL_PATH;

const options: fc.Arbitrary<WorldOptions> = fc.record({
  historySize: fc.constantFrom(1_000, 8, 3),
  watchDefault: fc.constantFrom("allow", "allow", "allow", "deny"),
  attempts: fc.boolean(),
});

test("every watcher ends with the surviving log, in order, each event once, and knows it, whatever breaks", () => {
  const property = fc.property(options, steps, (world, taken) => runModel(world, taken));
  const outcome = fc.check(property, {
    numRuns: RUNS,
    endOnFailure: !SHRINKS,
    ...(SEED !== undefined && { seed: Number(SEED) }),
    ...(PATH !== undefined && { path: PATH }),
  });
  if (outcome.failed) throw new Error(reportOf(outcome));
  expect(outcome.numRuns).toBeGreaterThan(0);
}, 1_800_000);

/** The broken promise, the fewest steps that break it, and the command that repeats them. */
function reportOf(outcome: fc.RunDetails<[WorldOptions, Step[]]>): string {
  const { counterexample, counterexamplePath, seed, errorInstance, numShrinks } = outcome;
  const [world, taken] = counterexample ?? [];
  const told = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return [
    `broken: ${told}`,
    `in ${JSON.stringify(world)}, after ${numShrinks} simplifications:`,
    ...(world === undefined ? [] : stepsOf(world, taken ?? [])).map((line) => `  ${line}`),
    `again: TELLTALE_MODEL_SEED=${seed} TELLTALE_MODEL_PATH=${counterexamplePath} npx bun test test/model/model.test.ts`,
    ...(errorInstance instanceof Error ? [errorInstance.stack ?? ""] : []),
  ].join("\n");
}

/** Each step in words, with what came of it, up to the one that breaks the promise. */
function stepsOf(world: WorldOptions, taken: readonly Step[]): string[] {
  const lines: string[] = [];
  expect(() => runModel(world, taken, (line) => lines.push(line))).toThrow();
  return lines;
}
