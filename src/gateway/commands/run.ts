import { basename } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Analysis } from "../../client/publisher.ts";
import { isEnd } from "../../domain/analysis-state.ts";
import { type AnalysisId, parseAnalysisId } from "../../domain/channel.ts";
import { isAttemptId } from "../../domain/event-rules.ts";
import { isStageName } from "../../domain/stages.ts";
import { CommandFailed } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { parseAddress } from "./gateway-access.ts";
import { ChildOutput } from "./run/child-output.ts";
import { type ChildEnd, ChildOfRun, exitCodeOf } from "./run/child-process.ts";
import { isStopped, outOfMemoryKills } from "./run/linux-process.ts";
import { OutputLines } from "./run/output-lines.ts";
import { outputPipes } from "./run/output-pipes.ts";
import { parsePattern } from "./run/own-pattern.ts";
import { exitAtSignal, passSignalsOn } from "./run/pass-signals-on.ts";
import { ProgramTelling } from "./run/program-telling.ts";
import { type ProgressReader, usualProgress } from "./run/progress-in-text.ts";
import { openAnalysis } from "./run/run-target.ts";
import { err } from "./standard-streams.ts";

interface Options {
  readonly analysis: AnalysisId;
  readonly attempt?: string;
  readonly stage?: string;
  readonly pattern?: ProgressReader;
  readonly grace: number;
  readonly url?: string;
  readonly pty?: true;
}

const GRACE_SECONDS = 10;
/** Between two looks whether the program tells of the analysis by itself. */
const LOOK_MS = 250;

/**
 * `telltale run --analysis ID -- PROGRAM …` runs a program, passes on its output as it is, and publishes the progress that it reads
 * there. The exit code is that of the program, or 128 and the number of the signal that ended it.
 */
export function addRun(command: Command): void {
  command
    .description("runs a program and publishes the progress that its output shows, and how it ended")
    .argument("<program...>", "the program and its arguments, after --")
    .requiredOption("--analysis <id>", "UUID of the analysis", parseId)
    .option("--attempt <name>", "names this run: a gateway refuses what earlier runs still say", parseAttempt)
    .option("--stage <name>", "the stage, until the program names another", parseStage)
    .option(
      "--pattern <regexp>",
      "how its lines show progress: a regular expression with named groups",
      parsePattern,
    )
    .option(
      "--grace <seconds>",
      "between SIGTERM and SIGKILL if the analysis is cancelled",
      parseSeconds,
      GRACE_SECONDS,
    )
    .option("--pty", "gives the program terminals for its output, if it draws bars for one alone")
    .option("--url <address>", "the gateway, as https://telltale.example", parseAddress)
    .passThroughOptions()
    .addHelpText("after", RUN_HELP)
    .action(run);
  addExamples(
    command,
    ["telltale run --analysis $ID -- python analyse.py video.mp4", "bars of tqdm and rich, 12/340, 37%"],
    ["telltale run --analysis $ID --stage uploading -- ffmpeg -i in.mp4 out.webm", "ffmpeg's own status"],
    [
      "telltale run --analysis $ID --pattern '^frame (?<current>\\d+) of (?<total>\\d+)' -- ./analyse",
      "lines of another form",
    ],
  );
}

const RUN_HELP = `
The gateway: --url, else TELLTALE_URL, else HOST and PORT on this machine. TELLTALE_URL may be a Redis (redis://host; sentinels
and a Cluster as in REDIS_URL): the events then go through its inbox. The token, for a gateway: as for publish.
The groups of a pattern: progress (0 to 1), percent, current, total, stage, message, unit.
The program has TELLTALE_ANALYSIS_ID in its environment.`;

async function run(
  command: readonly string[],
  { analysis: id, attempt, stage, pattern = usualProgress(Date.now), grace, url, pty }: Options,
): Promise<void> {
  const pipes = await outputPipes(pty === true);
  let child: ChildOfRun | undefined;
  const { analysis, withdraw, disconnect } = await openAnalysis(url, id, {
    check: false,
    ...(stage === undefined ? {} : { stage }),
    ...(attempt === undefined ? {} : { attemptId: attempt }),
    isAlive: () => child?.pid === undefined || !isStopped(child.pid),
    log: err,
  });
  const name = basename(command[0] ?? "");
  const telling = new ProgramTelling(id, err);
  const told = () => {
    const now = telling.now();
    if (now !== "nothing") withdraw();
    return now;
  };
  const output = new ChildOutput(analysis, pattern, err, told);
  const lines = {
    stdout: new OutputLines((line) => output.take(line, "stdout")),
    stderr: new OutputLines((line) => output.take(line, "stderr")),
  };
  const killsBefore = outOfMemoryKills();
  const running = new ChildOfRun({
    command,
    env: {
      ...(pty ? { TERM: "xterm-256color" } : {}),
      // Python keeps what it writes to a pipe until there is much of it.
      PYTHONUNBUFFERED: "1",
      ...process.env,
      TELLTALE_ANALYSIS_ID: id,
      TELLTALE_ATTEMPT_ID: attempt,
      TELLTALE_RUN_TAKEN: telling.path,
    },
    pipes,
    graceMs: grace * 1_000,
    onOutput: (chunk, stream) => lines[stream].push(chunk),
    onForbidden: (signal) =>
      err(`telltale: ${name}, or something that it started, may not be sent ${signal}`),
  });
  child = running;
  if (running.pid !== undefined) analysis.report({ progress: 0, message: `${name} has begun` });
  const looking = setInterval(told, LOOK_MS);
  const stopListening = passSignalsOn(running);
  const cancelling = endWhenCancelled(analysis, running, grace);
  const end = await running.ended;
  stopListening();
  cancelling.stop();
  for (const stream of Object.values(lines)) stream.end();
  clearInterval(looking);
  const hasTold = told() === "ended";
  telling.remove();
  const code = exitCodeOf(end);
  const stopWaiting = exitAtSignal(code);
  const outOfMemory = (outOfMemoryKills() ?? 0) > (killsBefore ?? 0);
  // An end that the program itself has said is the end, as a result that it had by then.
  if (!hasTold && !cancelling.hasBegun()) sayEnd({ analysis, output, end, name, outOfMemory });
  else if (!hasTold && !analysis.hasEnded) analysis.fail(analysis.signal.reason);
  await (hasTold ? analysis.leave() : analysis.close());
  disconnect();
  stopWaiting();
  if (code !== 0) throw new CommandFailed(code, end.kind === "unstarted" ? `${name}: ${end.reason}` : "");
}

interface Ended {
  readonly analysis: Analysis;
  readonly output: ChildOutput;
  readonly end: ChildEnd;
  readonly name: string;
  readonly outOfMemory: boolean;
}

function sayEnd({ analysis, output, end, name, outOfMemory }: Ended): void {
  if (end.kind === "exit" && end.code === 0) {
    if (!analysis.hasEnded) analysis.complete();
    return;
  }
  // The program has said why by itself.
  if (output.saidFailure) return;
  const { lastLines } = output;
  const killed = end.kind === "signal" || outOfMemory;
  analysis.publish({
    event_type: "error",
    error_code: killed ? "worker_killed" : "worker_exit",
    error_message: `${name} ${howItEnded(end, outOfMemory)}${lastLines.length === 0 ? "" : `: ${lastLines.at(-1)?.slice(0, 200)}`}`,
    error_details: {
      ...(end.kind === "signal" ? { signal: end.signal } : { exit_code: exitCodeOf(end) }),
      ...(outOfMemory ? { out_of_memory: true } : {}),
      stderr: lastLines.join("\n"),
    },
  });
}

function howItEnded(end: ChildEnd, outOfMemory: boolean): string {
  if (outOfMemory) return "was ended by the system: there was not enough memory";
  if (end.kind === "signal") return `was ended by ${end.signal}`;
  return end.kind === "exit" ? `ended with exit code ${end.code}` : `could not be started: ${end.reason}`;
}

function endWhenCancelled(analysis: Analysis, child: ChildOfRun, graceSeconds: number) {
  let hasBegun = false;
  const end = () => {
    hasBegun = true;
    child.end(graceSeconds * 1000);
  };
  analysis.signal.addEventListener("abort", end);
  if (analysis.cancelled) end();
  return {
    /** Whether the program was told to end. */
    hasBegun: () => hasBegun,
    stop: () => analysis.signal.removeEventListener("abort", end),
  };
}

function parseSeconds(text: string): number {
  if (/^\d{1,6}(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a number of seconds.");
}

function parseStage(text: string): string {
  if (isEnd(text)) throw new InvalidArgumentError("It would end the analysis at its beginning.");
  if (!isStageName(text)) throw new InvalidArgumentError("A stage has 1 to 64 of a-z, 0-9, _, . and -.");
  return text;
}

function parseAttempt(text: string): string {
  if (isAttemptId(text)) return text;
  throw new InvalidArgumentError("Give 1 to 64 characters.");
}

function parseId(text: string): AnalysisId {
  const id = parseAnalysisId(text);
  if (id === undefined) throw new InvalidArgumentError(`${JSON.stringify(text)} is not a UUID.`);
  return id;
}
