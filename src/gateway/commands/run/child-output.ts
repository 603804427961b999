import type { Analysis } from "../../../client/publisher.ts";
import { parseAnalysisId } from "../../../domain/channel.ts";
import { parseWithNumbersAsWritten } from "../numbers-as-written.ts";
import type { OutputLine } from "./output-lines.ts";
import type { Telling } from "./program-telling.ts";
import type { ProgressReader } from "./progress-in-text.ts";

/** The last lines of standard error that an error shows. */
const LINES_KEPT = 20;
const CHARACTERS_KEPT = 4_000;
/** A progress line is shorter. */
const MOST_CHARACTERS = 4_096;

type Fields = Readonly<Record<string, unknown>>;

/** Makes reports and events of what a program writes. */
export class ChildOutput {
  readonly #analysis: Analysis;
  readonly #read: ProgressReader;
  readonly #log: (line: string) => void;
  readonly #telling: () => Telling;
  readonly #last: string[] = [];
  #saidFailure = false;
  readonly #previous = { stdout: "", stderr: "" };

  constructor(
    analysis: Analysis,
    read: ProgressReader,
    log: (line: string) => void,
    /** Asked before each report and event. */
    telling: () => Telling = () => "nothing",
  ) {
    this.#analysis = analysis;
    this.#read = read;
    this.#log = log;
    this.#telling = telling;
  }

  /** Whether the program itself said that it failed or gave up. */
  get saidFailure(): boolean {
    return this.#saidFailure;
  }

  /** The last whole lines of standard error. */
  get lastLines(): readonly string[] {
    return this.#last;
  }

  take({ text, isWhole }: OutputLine, stream: "stdout" | "stderr"): void {
    const event = isWhole && text.startsWith("{") ? eventIn(text) : undefined;
    if (event === undefined) this.#look(text, isWhole, stream);
    else this.#publish(event);
  }

  #look(text: string, isWhole: boolean, stream: "stdout" | "stderr"): void {
    const end = text.slice(-MOST_CHARACTERS);
    if (!isText(end)) return;
    const line = withoutControls(end).trim();
    if (line === "") return;
    if (isWhole && stream === "stderr") this.#keep(line);
    // A bar may be seen twice: when nothing followed it for a while, and when it is written over.
    if (line === this.#previous[stream]) return;
    this.#previous[stream] = line;
    const report = this.#read(line);
    if (report !== undefined && this.#telling() !== "ended") this.#analysis.report(report);
  }

  #publish(event: Fields): void {
    const named = event.analysis_id;
    if (named !== undefined && (typeof named !== "string" || parseAnalysisId(named) !== this.#analysis.id)) {
      this.#log("telltale: the program wrote an event of another analysis; it is not published");
      return;
    }
    if (this.#telling() === "ended") {
      this.#log(
        "telltale: the program wrote an event after the end that it told by itself; it is not published",
      );
      return;
    }
    if (event.event_type !== "status_update" || event.current_stage === "failed")
      this.#saidFailure = event.event_type === "status_update" || event.event_type === "error";
    this.#analysis.publish(event);
  }

  #keep(line: string): void {
    this.#last.push(line.slice(0, CHARACTERS_KEPT));
    while (
      this.#last.length > LINES_KEPT ||
      (this.#last.length > 1 && lengthOf(this.#last) > CHARACTERS_KEPT)
    )
      this.#last.shift();
  }
}

/** An event of the wire; undefined if the line is none, or of a type that nobody publishes. */
function eventIn(line: string): Fields | undefined {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    // A line may begin with a brace and be no JSON: it is passed on all the same.
    return undefined;
  }
  const type = (event as { readonly event_type?: unknown }).event_type;
  if (type !== "status_update" && type !== "result_update" && type !== "result" && type !== "error")
    return undefined;
  // The numbers that are looked at here are read; all others stay as they were written.
  const { progress, current, total } = event as Fields;
  const read = Object.entries({ progress, current, total }).filter(([, value]) => value !== undefined);
  return { ...(parseWithNumbersAsWritten(line) as Fields), ...Object.fromEntries(read) };
}

/** A program may write its words in another encoding, which makes a few such characters. */
const MOST_UNREADABLE = 0.1;

/** Whether a line is no part of a file that the program writes, in which anything may be found by chance. */
function isText(line: string): boolean {
  let unreadable = 0;
  for (const character of line) {
    const code = character.codePointAt(0) ?? 0;
    // Tab, bell, backspace and their like, and the escape of colours.
    if (code < 32 && (code < 7 || code > 13) && code !== 27) return false;
    if (character === "\ufffd") unreadable += 1;
  }
  return unreadable <= line.length * MOST_UNREADABLE;
}

/** Without colours and the commands of terminals. */
function withoutControls(text: string): string {
  return text
    .replace(/\p{Cc}\[[0-?]*[ -/]*[@-~]/gu, "")
    .replace(/\p{Cc}\][^\p{Cc}]*\p{Cc}?/gu, "")
    .replace(/\p{Cc}/gu, " ");
}

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
