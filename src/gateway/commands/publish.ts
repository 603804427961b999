import { type Command, InvalidArgumentError } from "commander";
import { reasonOf } from "../../application/errors.ts";
import {
  type PublishableEvent,
  type Published,
  PublishFailed,
  PublishRefused,
  TelltalePublisher,
} from "../../client/publisher.ts";
import { type AnalysisId, parseAnalysisId } from "../../domain/channel.ts";
import { checkEvents } from "./check-events.ts";
import { CommandFailed } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { type EventLine, eventLines } from "./event-lines.ts";
import { EXIT } from "./exit-codes.ts";
import { ACCESS_HELP, gatewayAccess, parseAddress } from "./gateway-access.ts";
import { parseWithNumbersAsWritten } from "./numbers-as-written.ts";
import { printable, printableJson } from "./printable.ts";
import { err, out } from "./standard-streams.ts";
import { untilStopped } from "./stop-signals.ts";

/** Events that are on their way at the same time, over all analyses. Those of one analysis go one after the other. */
const MOST_UNDER_WAY = 64;

interface Options {
  readonly url?: string;
  readonly json?: true;
  readonly check?: true;
}

/**
 * `telltale publish [ID] < events.jsonl` publishes one event for each line of standard input, in order for each analysis. The
 * exit code is 1 if one was not stored; the others are published all the same, unless the gateway cannot be reached.
 */
export function addPublish(command: Command): void {
  command
    .description("publishes events from standard input, one JSON object a line")
    .argument("[id]", "UUID of the analysis; if left out, each event has an analysis_id", parseId)
    .option("--url <address>", "the gateway, as https://telltale.example", parseAddress)
    .option("--check", "sends nothing: says which events a gateway with these STAGES would refuse, and why")
    .option("--json", "writes the answer to each line as one JSON object")
    .addHelpText("after", ACCESS_HELP)
    .action((id: AnalysisId | undefined, options: Options) =>
      options.check ? checkEvents(id, options.json) : publish(id, options),
    );
  addExamples(
    command,
    ["telltale publish $ID < events.jsonl", "all events of a file, as those of one analysis"],
    ["./worker | telltale publish --json", "as a worker writes them, with an answer for each"],
    ["telltale publish --check $ID < events.jsonl", "in the worker's tests: needs no gateway and no token"],
  );
}

/** The outcome of a line. */
type Outcome =
  | { readonly kind: "stored"; readonly published: Published }
  | { readonly kind: "refused"; readonly error: PublishRefused | TypeError | SyntaxError }
  /** The gateway could not be reached, or takes nothing of this token: the lines after it would fare no better. */
  | { readonly kind: "failed"; readonly error: PublishFailed | PublishRefused };

async function publish(id: string | undefined, { url, json }: Options): Promise<void> {
  const rights = { user: "telltale-publish", scopes: ["analysis:publish"] as const };
  const publisher = new TelltalePublisher(await gatewayAccess(url, rights));
  const { signal, judge, dispose } = untilStopped();
  const failure = new AbortController();
  const underWay = new Set<Promise<void>>();
  const counts = { stored: 0, refused: 0, failed: 0 };
  const settle = (line: number, outcome: Outcome) => {
    counts[outcome.kind] += 1;
    if (json) out(`${printableJson(JSON.stringify({ line, ...answerOf(outcome) }))}\n`);
    else if (outcome.kind !== "stored") err(`line ${line}: ${complaintOf(outcome.error)}`);
    if (outcome.kind === "failed") failure.abort();
  };
  try {
    for await (const line of eventLines(process.stdin, AbortSignal.any([signal, failure.signal]))) {
      if (line.text?.trim() === "") continue;
      const task = publishLine(publisher, line, id).then((outcome) => {
        settle(line.number, outcome);
        underWay.delete(task);
      });
      underWay.add(task);
      if (underWay.size >= MOST_UNDER_WAY) await Promise.race(underWay);
      if (failure.signal.aborted || signal.aborted) break;
    }
    await Promise.all(underWay);
  } finally {
    dispose();
  }
  if (json === undefined) out(`${counts.stored} stored, ${counts.refused + counts.failed} not\n`);
  judge();
  if (counts.refused + counts.failed > 0) throw new CommandFailed(EXIT.notDone);
}

async function publishLine(
  publisher: TelltalePublisher,
  { text, fault }: EventLine,
  id: string | undefined,
): Promise<Outcome> {
  try {
    if (text === undefined) throw new TypeError(fault);
    const event = parseEvent(text);
    const analysisId = id ?? event.analysis_id;
    if (typeof analysisId !== "string") throw new TypeError("it has no analysis_id, and none was given");
    return { kind: "stored", published: await publisher.sendEvents(analysisId, [event]) };
  } catch (error) {
    if (error instanceof PublishFailed) return { kind: "failed", error };
    if (error instanceof PublishRefused)
      return { kind: error.status === 401 || error.status === 403 ? "failed" : "refused", error };
    if (error instanceof TypeError || error instanceof SyntaxError) return { kind: "refused", error };
    throw error;
  }
}

function parseEvent(text: string): PublishableEvent {
  const event = parseWithNumbersAsWritten(text);
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw new TypeError("it is no JSON object");
  return event as PublishableEvent;
}

function answerOf(outcome: Outcome): Readonly<Record<string, unknown>> {
  if (outcome.kind === "stored") {
    const { eventIds, duplicate } = outcome.published;
    return { event_ids: eventIds, duplicate };
  }
  const { error } = outcome;
  return { error: { code: codeOf(error), message: wordsOf(error), issues: issuesOf(error) } };
}

function complaintOf(error: Error): string {
  const where = issuesOf(error).map(
    ({ path, message }) => `\n  ${printable(`${path.join(".")}: ${message}`)}`,
  );
  return `${printable(wordsOf(error))} (${printable(codeOf(error))})${where.join("")}`;
}

function codeOf(error: Error): string {
  return error instanceof PublishRefused || error instanceof PublishFailed ? error.code : "no_event";
}

/** The faults in the event of a line: its place in the batch says nothing. */
function issuesOf(error: Error): PublishRefused["issues"] {
  if (!(error instanceof PublishRefused)) return [];
  return error.issues.map(({ path, message }) => ({ path: path[0] === 0 ? path.slice(1) : path, message }));
}

function wordsOf(error: Error): string {
  if (!(error instanceof PublishFailed)) return error.message;
  const doubt = error.mayHaveBeenStored ? "; it may have been stored" : "; it was not stored";
  return `${error.message}: ${reasonOf(error.cause)}${doubt}`;
}

function parseId(text: string): AnalysisId {
  const id = parseAnalysisId(text);
  if (id === undefined) throw new InvalidArgumentError(`${JSON.stringify(text)} is not a UUID.`);
  return id;
}
