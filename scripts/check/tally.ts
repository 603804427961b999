/** The number of checks by their outcome. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: 0 };

export function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce((a, b) => ({
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  }));
}

/** From the closing lines of `bun test`: ` 12 pass`, ` 1 skip`, ` 0 fail`. */
export function tallyOfBun(output: string, exitCode: number): Tally {
  const count = (word: string) =>
    Number([...output.matchAll(new RegExp(`^ (\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0);
  return honest(
    { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") },
    exitCode,
  );
}

/** From the closing line of `deno test`: `ok | 12 passed | 0 failed | 1 ignored (40ms)`. */
export function tallyOfDeno(output: string, exitCode: number): Tally {
  const closing = output.match(/^(?:ok|FAILED) \| .*$/gm)?.at(-1) ?? "";
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(closing)?.[1] ?? 0);
  return honest({ passed: count("passed"), failed: count("failed"), skipped: count("ignored") }, exitCode);
}

/** From the closing lines of Python's unittest: `Ran 12 tests in 3.1s`, and `OK (skipped=1)` or `FAILED (failures=1, errors=2)`. */
export function tallyOfUnittest(output: string, exitCode: number): Tally {
  const ran = Number([...output.matchAll(/^Ran (\d+) tests? in /gm)].at(-1)?.[1] ?? 0);
  const closing = output.match(/^(?:OK|FAILED)(?: \(.*\))?$/gm)?.at(-1) ?? "";
  const count = (word: string) => Number(new RegExp(`${word}=(\\d+)`).exec(closing)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  const skipped = count("skipped");
  return honest({ passed: Math.max(0, ran - failed - skipped), failed, skipped }, exitCode);
}

/** Counts a failure if the runner ended badly or ran nothing, whatever its lines say. */
function honest(tally: Tally, exitCode: number): Tally {
  const suspicious = exitCode !== 0 || tally.passed + tally.failed + tally.skipped === 0;
  return suspicious && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}
