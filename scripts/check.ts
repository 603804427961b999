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
const quickMinutes = 5;
/** Some two to five times as long as the longest of them takes. */
const thoroughMinutes = 40;
/** On a busy machine a test may take longer than Bun's five seconds, and one that waits for a real server anywhere. */
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

interface Outcome {
  readonly tally: Tally;
  /** Shown above the figures of the step. */
  readonly lines: readonly string[];
}

interface Step {
  readonly name: string;
  readonly run: () => Promise<Outcome>;
}

const quick: readonly Step[] = [
  program("format and lint (biome)", [`${bin}biome`, "check", "--error-on-warnings", "."]),
  program("types (tsc)", [`${bin}tsc`, "--noEmit"]),
  program("prose", [process.execPath, "run", "scripts/check/prose.ts"]),
  tests("architecture", [patience, "test/architecture.test.ts"]),
  {
    name: "unit and contract tests, with coverage",
    run: async () => {
      const folder = `${root}coverage`;
      // Without this, the report of an earlier run could be taken for one that was not written.
      rmSync(folder, { recursive: true, force: true });
      const measure = ["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${folder}`];
      const tested = await bunTest([patience, ...measure, "test/unit", "test/contract"], quickMinutes);
      const { tally, summary } = await checkCoverage(root, `${folder}/lcov.info`);
      return {
        tally: sum([tested.tally, tally]),
        lines: [...tested.lines, ...summary.map((line) => `  ${line}`)],
      };
    },
  },
  // The model runs by itself: it executes most lines, so the coverage would not show which of them have no other test.
  tests("some runs of the model, the list of mutants", [patience, "test/model", "test/mutants/list.test.ts"]),
];

/** Once, before gateways on Deno of several steps need them: these build nothing that is there. */
const pages = program("pages of a gateway on Deno", [process.execPath, "run", "scripts/build-pages.ts"]);

/** Real servers, one step after the other: these tests hold times that a machine of two cores keeps only for one of them. */
const serving: readonly Step[] = [
  tests("real faults on real processes", [patience, "test/faults"], thoroughMinutes),
  tests("integration", [patience, "test/integration"], thoroughMinutes),
  tests("end to end: worker and browser", [patience, "test/e2e"], thoroughMinutes),
  {
    name: "a gateway on Deno, with the tests of the one on Bun",
    run: () => bunTest([patience, ...onDeno], thoroughMinutes, { TELLTALE_RUNTIME: "deno" }),
  },
  tests("containers", [patience, "test/containers"], thoroughMinutes),
  tests("every broker on every runtime", [patience, "test/matrix"], thoroughMinutes),
  tests("proxies", [patience, "test/proxies"], thoroughMinutes),
  denoTests(
    "the server on Deno, request by request (deno test)",
    ["test/integration/request-target.test.ts", "test/integration/request-deadline.test.ts"],
    ["--allow-read", "--allow-env", "--allow-net"],
  ),
];

/** Nearly all of it computes, so that two of them may run at once. */
const computing: readonly Step[] = [
  tests("mutants: the tests notice every one", ["test/mutants/mutants.test.ts"], thoroughMinutes),
  model("the model", "test/model/model.test.ts"),
  model("the model, and its cases and brokers", "test/model"),
  denoTests(
    "unit tests of the core (deno test)",
    ["test/unit/domain", "test/unit/application", "test/unit/session"],
    ["--allow-read", "--allow-env"],
  ),
  program("types of everything (deno check)", [`${bin}deno`, "check", "src"]),
];

async function main(): Promise<void> {
  const outcomes = await inTurn(quick, 1);
  if (process.argv.includes("--all")) {
    outcomes.push(...(await inTurn(computing, 2)), ...(await inTurn([pages, ...serving], 1)));
  }
  const failed = outcomes.filter(({ tally }) => tally.failed > 0).map(({ name }) => name);
  const total = sum(outcomes.map(({ tally }) => tally));
  if (failed.length > 0) console.log(`\nFailed: ${failed.join("; ")}`);
  console.log(`\n${describe(total)}`);
  process.exit(total.failed > 0 ? 1 : 0);
}

/** Runs steps in their order, so many at once, and shows each in one piece when it ends. */
async function inTurn(steps: readonly Step[], atOnce: number): Promise<(Outcome & { name: string })[]> {
  const waiting = [...steps];
  const outcomes: (Outcome & { name: string })[] = [];
  const work = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const began = performance.now();
      const outcome = await step.run();
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const verdict = outcome.tally.failed === 0 ? "ok" : "FAILED";
      const end = `  ${verdict}: ${describe(outcome.tally)}, ${seconds} s`;
      console.log([`— ${step.name}`, ...outcome.lines, end].join("\n"));
      outcomes.push({ name: step.name, ...outcome });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return outcomes;
}

function describe({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** A program that passes or fails as a whole. */
function program(name: string, command: readonly string[]): Step {
  const tally = (_: string, exitCode: number): Tally =>
    exitCode === 0 ? { ...nothing, passed: 1 } : { ...nothing, failed: 1 };
  return { name, run: async () => outcomeOf(await runProgram(command, root, quickMinutes), tally) };
}

function tests(name: string, args: readonly string[], minutes = quickMinutes): Step {
  return { name, run: () => bunTest(args, minutes) };
}

function model(name: string, path: string): Step {
  return { name, run: () => bunTest([patience, path], thoroughMinutes, { TELLTALE_MODEL_RUNS: "10000" }) };
}

function denoTests(name: string, paths: readonly string[], permissions: readonly string[]): Step {
  const command = [`${bin}deno`, "test", "--no-check", ...permissions, ...paths];
  return { name, run: async () => outcomeOf(await runProgram(command, root, thoroughMinutes), tallyOfDeno) };
}

async function bunTest(
  args: readonly string[],
  minutes: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return outcomeOf(
    await runProgram([process.execPath, "test", ...args], root, minutes, environment),
    tallyOfBun,
  );
}

/** Shows a failed run without the tests that passed, and names what any other run skipped. */
function outcomeOf(
  { output, exitCode }: { readonly output: string; readonly exitCode: number },
  tallyOf: (output: string, exitCode: number) => Tally,
): Outcome {
  const tally = tallyOf(output, exitCode);
  if (tally.failed > 0)
    return { tally, lines: [output.replace(goodNews, "").replace(fileWithoutNews, "").trimEnd()] };
  return { tally, lines: (output.match(/^skipped for want of .*$/gm) ?? []).map((line) => `  ${line}`) };
}

await main();
