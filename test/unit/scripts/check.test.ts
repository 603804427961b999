import { describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { checkCoverage } from "../../../scripts/check/coverage.ts";
import { inBackground } from "../../../scripts/check/in-background.ts";
import { runProgram } from "../../../scripts/check/run-program.ts";
import { tallyOfBun, tallyOfDeno, tallyOfUnittest } from "../../../scripts/check/tally.ts";

describe("the closing lines of a test run", () => {
  test("are counted for Bun, with the postponed tests among the skipped", () => {
    const output = "(pass) a\n\n 12 pass\n 2 skip\n 1 todo\n 3 fail\n 40 expect() calls\nRan 18 tests\n";
    expect(tallyOfBun(output, 1)).toEqual({ passed: 12, failed: 3, skipped: 3 });
  });

  test("are counted for Deno", () => {
    expect(tallyOfDeno("\nok | 7 passed (9 steps) | 0 failed | 2 ignored (30ms)\n", 0)).toEqual({
      passed: 7,
      failed: 0,
      skipped: 2,
    });
  });

  test("are counted for Python's unittest", () => {
    const failed = "Ran 12 tests in 3.100s\n\nFAILED (failures=1, errors=2, skipped=3)\n";
    expect(tallyOfUnittest(failed, 1)).toEqual({ passed: 6, failed: 3, skipped: 3 });
    expect(tallyOfUnittest("Ran 1 test in 0.001s\n\nOK\n", 0)).toEqual({ passed: 1, failed: 0, skipped: 0 });
  });

  test("do not hide a runner that ended badly", () => {
    expect(tallyOfBun(" 12 pass\n 0 fail\n", 1).failed).toBe(1);
    expect(tallyOfDeno("error: Uncaught\n", 1).failed).toBe(1);
  });

  test("are missed when nothing ran at all", () => {
    expect(tallyOfBun("", 0).failed).toBe(1);
    expect(tallyOfUnittest("Ran 0 tests in 0.000s\n\nOK\n", 0).failed).toBe(1);
  });
});

describe("the floor under coverage", () => {
  async function coverageOf(sources: Record<string, string>, report: string) {
    const root = `${await mkdtemp(`${tmpdir()}/coverage-`)}/`;
    try {
      await mkdir(`${root}src/domain`, { recursive: true });
      await mkdir(`${root}src/application`, { recursive: true });
      for (const [path, text] of Object.entries(sources)) await Bun.write(`${root}${path}`, text);
      await Bun.write(`${root}lcov.info`, report);
      return (await checkCoverage(root, `${root}lcov.info`)).tally;
    } finally {
      await rm(root, { recursive: true });
    }
  }
  const record = (path: string, hits: readonly number[]) =>
    `SF:${path}\n${hits.map((count, line) => `DA:${line + 1},${count}\n`).join("")}end_of_record\n`;
  const source = "export const a = 1;\n";

  test("holds when 95 lines of 100 ran", async () => {
    const hits = Array.from({ length: 100 }, (_, line) => (line < 95 ? 1 : 0));
    const tally = await coverageOf({ "src/domain/a.ts": source }, record("src/domain/a.ts", hits));
    expect(tally).toEqual({ passed: 1, failed: 0, skipped: 0 });
  });

  test("breaks when 94 lines of 100 ran", async () => {
    const hits = Array.from({ length: 100 }, (_, line) => (line < 94 ? 1 : 0));
    const tally = await coverageOf({ "src/domain/a.ts": source }, record("src/domain/a.ts", hits));
    expect(tally.failed).toBe(1);
  });

  test("breaks when a file was never loaded by any test", async () => {
    const sources = { "src/domain/a.ts": source, "src/application/b.ts": source };
    expect((await coverageOf(sources, record("src/domain/a.ts", [1, 1]))).failed).toBe(1);
  });

  test("does not count a file of types, of which nothing runs", async () => {
    const sources = { "src/domain/a.ts": source, "src/application/b.ts": "export type B = string;\n" };
    expect((await coverageOf(sources, record("src/domain/a.ts", [1, 1]))).failed).toBe(0);
  });
});

test("a program that does not end is stopped at its limit and counts as failed", async () => {
  const { output, exitCode } = await runProgram(["/bin/sh", "-c", "echo begun; exec sleep 60"], "/", 0.002);
  expect(exitCode).toBe(124);
  expect(output).toContain("begun");
});

test("a program in the background gives way to every other session", async () => {
  const told = "nice; cat /proc/self/autogroup 2>/dev/null || true";
  const { output } = await runProgram(inBackground(["/bin/sh", "-c", told]), "/", 1);
  expect(output).toMatch(/^19\n(?:\/autogroup-\d+ nice 19\n)?$/);
});
