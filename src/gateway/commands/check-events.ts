import { type AnalysisId, analysisChannel } from "../../domain/channel.ts";
import { decodeAddressedEvent, decodeEvent, type Issue } from "../../domain/decode-event.ts";
import { type EventRules, eventRules } from "../../domain/event-rules.ts";
import { CommandFailed, readConfig } from "./command-failed.ts";
import { type EventLine, eventLines } from "./event-lines.ts";
import { EXIT } from "./exit-codes.ts";
import { printable, printableJson } from "./printable.ts";
import { err, out } from "./standard-streams.ts";
import { untilStopped } from "./stop-signals.ts";

/**
 * Judges the events of standard input by the rules of a gateway with these STAGES, and sends none. Rejects with `CommandFailed` and
 * code 1 if one would be refused; each is named with its faults.
 */
export async function checkEvents(id: AnalysisId | undefined, json: true | undefined): Promise<void> {
  const { STAGES, STAGES_FILE } = process.env;
  const rules = eventRules(readConfig({ STAGES, STAGES_FILE }).stages);
  const counts = { valid: 0, faulty: 0 };
  const { signal, judge, dispose } = untilStopped();
  try {
    for await (const line of eventLines(process.stdin, signal)) {
      if (line.text?.trim() === "") continue;
      const issues = issuesOf(line, id, rules);
      counts[issues.length === 0 ? "valid" : "faulty"] += 1;
      if (json) out(`${printableJson(JSON.stringify({ line: line.number, issues }))}\n`);
      else if (issues.length > 0) err(`line ${line.number}:${issues.map(lineOf).join("")}`);
    }
  } finally {
    dispose();
  }
  if (json === undefined) out(`${counts.valid} valid, ${counts.faulty} not\n`);
  judge();
  if (counts.faulty > 0) throw new CommandFailed(EXIT.notDone);
}

function issuesOf(
  { text, fault }: EventLine,
  id: AnalysisId | undefined,
  rules: EventRules,
): readonly Issue[] {
  if (text === undefined) return [{ path: [], message: fault }];
  const taken = { now: Date.now(), rules };
  const decoded =
    id === undefined
      ? decodeAddressedEvent(text, taken)
      : decodeEvent(text, { ...taken, channel: analysisChannel(id) });
  return decoded.ok ? [] : decoded.issues;
}

function lineOf({ path, message }: Issue): string {
  return `\n  ${printable(path.length === 0 ? message : `${path.join(".")}: ${message}`)}`;
}
