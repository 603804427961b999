import { rmSync } from "node:fs";
import { checkCoverage } from "./check/coverage.ts";
import { inBackground } from "./check/in-background.ts";
import { runProgram } from "./check/run-program.ts";
import { nothing, sum, type Tally, tallyOfBun, tallyOfDeno, tallyOfUnittest } from "./check/tally.ts";

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

/**
 * The tests of integration that keep a core busy, or compare how long something took with what an idle machine needs. They run
 * one after the other. All others mostly wait, and run two files at a time.
 */
const alone = [
  "bare-publish-faults",
  "bare-repeats",
  "dead-letter-floods",
  "inbox",
  "large-histories",
  "postgres-faults",
  "returning-crowd",
  "slow-clients",
  "stalled-clients",
  "watch-races",
].map((name) => `test/integration/${name}.test.ts`);

/** Every way to a gateway, what hostile and slow clients do to it, its start and its end. */
const onDeno = {
  alone: [
    "test/integration/inbox.test.ts",
    "test/integration/slow-clients.test.ts",
    "test/integration/stalled-clients.test.ts",
    "test/e2e/demo-page.test.ts",
  ],
  twoAtATime: [
    "test/integration/bad-input.test.ts",
    "test/integration/base-path.test.ts",
    "test/integration/command-line.test.ts",
    "test/integration/contract-hostile-http.test.ts",
    "test/integration/contract-start.test.ts",
    "test/integration/drain.test.ts",
    "test/integration/event-stream.test.ts",
    "test/integration/watch-command.test.ts",
    "test/integration/watching.test.ts",
    "test/integration/websocket-protocols.test.ts",
    "test/e2e/careless-worker.test.ts",
  ],
};

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
  {
    name: "npm test, with coverage",
    run: async () => {
      const folder = `${root}coverage`;
      // Without this, the report of an earlier run could be taken for one that was not written.
      rmSync(folder, { recursive: true, force: true });
      const measure = ["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${folder}`];
      const tested = outcomeOf(
        await runProgram(["npm", "test", "--", ...measure], root, quickMinutes),
        tallyOfBun,
      );
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

/** Real servers, one step after the other: these tests hold times that a machine of two cores keeps only for a few of them. */
const busy: readonly Step[] = [
  tests("real faults on real processes", [patience, "test/faults"], thoroughMinutes),
  tests("integration: busy files", [patience, ...alone], thoroughMinutes),
];

/** They mostly wait for real servers, and take less than a core. */
const waiting: readonly Step[] = [
  tests(
    "integration: files that wait, two at a time",
    [patience, "--parallel=2", ...alone.map((path) => `--path-ignore-patterns=${path}`), "test/integration"],
    thoroughMinutes,
  ),
];

/** Real servers and programs, one step after the other, beside those that wait. */
const programs: readonly Step[] = [
  tests("end to end: worker and browser", [patience, "test/e2e"], thoroughMinutes),
  tests("the ends of workers of every kind", [patience, "test/ends"], thoroughMinutes),
  {
    name: "a gateway on Deno, with the tests of the one on Bun: busy files",
    run: () => bunTest([patience, ...onDeno.alone], thoroughMinutes, { TELLTALE_RUNTIME: "deno" }),
  },
  {
    name: "a gateway on Deno, with the tests of the one on Bun: files that wait, two at a time",
    run: () =>
      bunTest([patience, "--parallel=2", ...onDeno.twoAtATime], thoroughMinutes, {
        TELLTALE_RUNTIME: "deno",
      }),
  },
  {
    name: "the Python package (unittest)",
    run: async () => {
      // Debian's Python: the one that comes first on PATH need not see Debian's packages.
      const command = ["/usr/bin/python3", "-B", "-m", "unittest"];
      const result = await runProgram(command, `${root}clients/python`, thoroughMinutes);
      return outcomeOf(result, tallyOfUnittest);
    },
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

/** By itself, since a test that is kept from running for seconds would seem to notice. It runs several at a time. */
const mutants = tests(
  "mutants: the tests notice every one",
  ["test/mutants/mutants.test.ts"],
  thoroughMinutes,
);

/** All of it computes and holds no time, so that it may take what the servers leave. */
const computing: readonly Step[] = [
  {
    name: "the model, its cases and its brokers",
    run: async () => {
      const command = inBackground([process.execPath, "test", patience, "test/model"]);
      const result = await runProgram(command, root, thoroughMinutes, { TELLTALE_MODEL_RUNS: "20000" });
      return outcomeOf(result, tallyOfBun);
    },
  },
  denoTests(
    "unit tests of the core (deno test)",
    ["test/unit/domain", "test/unit/application", "test/unit/session"],
    ["--allow-read", "--allow-env"],
    inBackground,
  ),
  program("types of everything (deno check)", inBackground([`${bin}deno`, "check", "src"])),
];

async function main(): Promise<void> {
  // Each state of the files has courses of its own, and the same ones wherever it is checked.
  const seed = process.env.TELLTALE_MODEL_SEED ?? seedOfFiles();
  if (seed !== undefined) process.env.TELLTALE_MODEL_SEED = seed;
  const outcomes = await inTurn(quick, 2);
  if (process.argv.includes("--all")) {
    outcomes.push(...(await inTurn([mutants], 1)));
    const busyAndComputing = await Promise.all([inTurn([pages, ...busy], 1), inTurn(computing, 1)]);
    const waitingAndPrograms = await Promise.all([inTurn(waiting, 1), inTurn(programs, 1)]);
    outcomes.push(...busyAndComputing.flat(), ...waitingAndPrograms.flat());
  }
  const failed = outcomes.filter(({ tally }) => tally.failed > 0).map(({ name }) => name);
  const total = sum(outcomes.map(({ tally }) => tally));
  if (failed.length > 0) console.log(`\nFailed: ${failed.join("; ")}`);
  console.log(`\n${describe(total)}`);
  process.exit(total.failed > 0 ? 1 : 0);
}

/** A number that the commit's files have alone; undefined outside a repository. */
function seedOfFiles(): string | undefined {
  const { success, stdout } = Bun.spawnSync(["git", "rev-parse", "HEAD^{tree}"], { cwd: root });
  return success ? `${Number.parseInt(stdout.toString().slice(0, 7), 16)}` : undefined;
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

function denoTests(
  name: string,
  paths: readonly string[],
  permissions: readonly string[],
  started = (command: readonly string[]) => command,
): Step {
  const command = started([`${bin}deno`, "test", "--no-check", ...permissions, ...paths]);
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
