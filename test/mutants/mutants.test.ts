import { describe, expect, test } from "bun:test";
import { needs } from "../support/needs.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";

const root = new URL("../../", import.meta.url).pathname;
/** So many that a break which the model can see is as good as certainly seen; it stops at the first failure. */
const MODEL_RUNS = "30000";
/** A test that waits for what never comes is as good as one that fails. */
const PATIENCE_MS = 8_000;
/** Most of their time they wait for servers: three at a time need little more than one core. */
const AT_ONCE = 3;

/*
 * Each deliberate breakage is planted by itself, and the tests that should notice are run: one that they all pass with
 * is a hole in them. The breakage is in the memory of that one run and nowhere else.
 */
describe.concurrent("the tests notice a product that", () => {
  for (const mutant of MUTANTS) {
    test.skipIf(mutant.needs !== undefined && !needs(mutant.needs))(
      mutant.name,
      async () => {
        const { exitCode, output } = await inTurn(() => runWith(mutant));
        // Failing to run at all is no way of noticing.
        expect(output).toMatch(/\(fail\) /);
        expect(exitCode).not.toBe(0);
      },
      600_000,
    );
  }
});

let running = 0;
const waiting: (() => void)[] = [];

/** Bun begins twenty tests at once. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running === AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

async function runWith({ name, killers, test }: Mutant): Promise<{ exitCode: number; output: string }> {
  const args = ["--bail", `--timeout=${PATIENCE_MS}`, "--preload", "./test/mutants/plant.ts", ...killers];
  if (test !== undefined) args.push("-t", test.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const child = Bun.spawn([process.execPath, "test", ...args], {
    cwd: root,
    env: {
      ...process.env,
      TELLTALE_MUTANT: name,
      TELLTALE_MODEL_RUNS: MODEL_RUNS,
      TELLTALE_MODEL_SHRINK: "0",
    },
    // A group of its own: a run that stops at its first failure leaves the servers that it started.
    detached: true,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  endGroup(child.pid);
  return { exitCode, output: out + err };
}

function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    // Nobody is left in it.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
