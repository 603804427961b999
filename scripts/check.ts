import { rmSync } from "node:fs";
import { checkCoverage } from "./check/coverage.ts";
import { runProgram } from "./check/run-program.ts";
import { nothing, sum, type Tally, tallyOfBun, tallyOfDeno } from "./check/tally.ts";

/**
 * `npm run check` runs every check that needs no server, in seconds. `--all` adds the tests that start real servers. The
 * last line is `N passed, N failed` over all of them. The exit code is 1 if any check failed.
 */
const root = new URL("..", import.meta.url).pathname;
const bin = `${root}node_modules/.bin/`;
const unitMinutes = 2;
const serverMinutes = 15;
const modelMinutes = 10;
const mutantMinutes = 20;
const denoMinutes = 6;
/** A test that waits for a real server may wait longer than Bun's five seconds, on a busy machine above all. */
const patience = "--timeout=30000";

/** A test that passed on Bun, one on Deno, and a line of Bun's table of coverage. */
const goodNews = /^(?:\(pass\) .*| .* \.\.\. ok \(.*|.*\|[ \d.]+\|.*)\n/gm;
const fileWithoutNews = /^test\/\S+:\n\n+(?=test\/|\d+ tests? )/gm;

/** Every way to a gateway, what hostile and slow clients do to it, its start and its end: about two minutes. */
const onDeno = [
  "test/integration/bad-input.test.ts",
  "test/integration/command-line.test.ts",
  "test/integration/contract-hostile-http.test.ts",
  "test/integration/contract-start.test.ts",
  "test/integration/event-stream.test.ts",
  "test/integration/inbox.test.ts",
  "test/integration/slow-clients.test.ts",
  "test/integration/stalled-clients.test.ts",
  "test/integration/watching.test.ts",
  "test/integration/websocket-protocols.test.ts",
  "test/e2e/careless-worker.test.ts",
  "test/e2e/demo-page.test.ts",
];

interface Step {
  readonly name: string;
  readonly run: () => Promise<Tally>;
}

const quick: readonly Step[] = [
  program("format and lint (biome)", [`${bin}biome`, "check", "--error-on-warnings", "."]),
  program("types (tsc)", [`${bin}tsc`, "--noEmit"]),
  program("prose", [process.execPath, "run", "scripts/check/prose.ts"]),
  tests("architecture", ["test/architecture.test.ts"]),
  {
    name: "unit and contract tests, with coverage",
    run: async () => {
      const folder = `${root}coverage`;
      // Without this, the report of an earlier run could be taken for one that was not written.
      rmSync(folder, { recursive: true, force: true });
      const measure = ["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${folder}`];
      const tested = await bunTest([...measure, "test/unit", "test/contract"], unitMinutes);
      const { tally, summary } = await checkCoverage(root, `${folder}/lcov.info`);
      for (const line of summary) console.log(`  ${line}`);
      return sum([tested, tally]);
    },
  },
  // The model runs by itself: it executes most lines, so the coverage would not show which of them have no other test.
  tests("some runs of the model, the list of mutants", ["test/model", "test/mutants/list.test.ts"]),
];

const thorough: readonly Step[] = [
  {
    name: "the model",
    // A run of the model keeps one core busy.
    run: async () =>
      sum(
        await Promise.all(
          ["test/model", "test/model/model.test.ts"].map((path) =>
            bunTest([path], modelMinutes, { TELLTALE_MODEL_RUNS: "10000" }),
          ),
        ),
      ),
  },
  tests(
    "mutants: the tests notice every one",
    ["--concurrent", "--max-concurrency=2", "test/mutants/mutants.test.ts"],
    mutantMinutes,
  ),
  tests("integration", [patience, "test/integration"], serverMinutes),
  tests("real faults on real processes", [patience, "test/faults"], serverMinutes),
  tests("end to end: worker and browser", [patience, "test/e2e"], serverMinutes),
  tests("every broker on every runtime", [patience, "test/matrix"], serverMinutes),
  tests("containers", [patience, "test/containers"], serverMinutes),
  tests("proxies", [patience, "test/proxies"], serverMinutes),
  program("types of everything (deno check)", [`${bin}deno`, "check", "src"]),
  denoTests(
    "unit tests of the core (deno test)",
    ["test/unit/domain", "test/unit/application", "test/unit/session"],
    ["--allow-read", "--allow-env"],
  ),
  denoTests(
    "the server on Deno, request by request (deno test)",
    ["test/integration/request-target.test.ts", "test/integration/request-deadline.test.ts"],
    ["--allow-read", "--allow-env", "--allow-net"],
  ),
  {
    name: "a gateway on Deno, with the tests of the one on Bun",
    run: () => bunTest([patience, ...onDeno], denoMinutes, { TELLTALE_RUNTIME: "deno" }),
  },
];

async function main(): Promise<void> {
  const steps = process.argv.includes("--all") ? [...quick, ...thorough] : quick;
  const failedSteps: string[] = [];
  let total = nothing;
  for (const step of steps) {
    console.log(`— ${step.name}`);
    const began = performance.now();
    const tally = await step.run();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`  ${tally.failed === 0 ? "ok" : "FAILED"}: ${describe(tally)}, ${seconds} s`);
    if (tally.failed > 0) failedSteps.push(step.name);
    total = sum([total, tally]);
  }
  if (failedSteps.length > 0) console.log(`\nFailed: ${failedSteps.join("; ")}`);
  console.log(`\n${describe(total)}`);
  process.exit(total.failed > 0 ? 1 : 0);
}

function describe({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** A program that passes or fails as a whole. */
function program(name: string, command: readonly string[]): Step {
  const tally = (_: string, exitCode: number): Tally =>
    exitCode === 0 ? { ...nothing, passed: 1 } : { ...nothing, failed: 1 };
  return { name, run: async () => report(await runProgram(command, root, unitMinutes), tally) };
}

function tests(name: string, args: readonly string[], minutes = unitMinutes): Step {
  return { name, run: () => bunTest(args, minutes) };
}

function denoTests(name: string, paths: readonly string[], permissions: readonly string[]): Step {
  const command = [`${bin}deno`, "test", "--no-check", ...permissions, ...paths];
  return { name, run: async () => report(await runProgram(command, root, unitMinutes), tallyOfDeno) };
}

async function bunTest(
  args: readonly string[],
  minutes: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<Tally> {
  return report(
    await runProgram([process.execPath, "test", ...args], root, minutes, environment),
    tallyOfBun,
  );
}

/** Shows a failed run without the tests that passed, and names what any other run skipped. */
function report(
  { output, exitCode }: { readonly output: string; readonly exitCode: number },
  tallyOf: (output: string, exitCode: number) => Tally,
): Tally {
  const tally = tallyOf(output, exitCode);
  if (tally.failed > 0) console.log(output.replace(goodNews, "").replace(fileWithoutNews, "").trimEnd());
  else for (const line of output.match(/^skipped for want of .*$/gm) ?? []) console.log(`  ${line}`);
  return tally;
}

await main();
