import { type Command, InvalidArgumentError } from "commander";
import { parseAnalysisId } from "../../domain/channel.ts";
import { closeCodeOf } from "../../domain/close-code.ts";
import { CommandFailed } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { parseDuration } from "./durations.ts";
import { EXIT } from "./exit-codes.ts";
import { ACCESS_HELP, gatewayAccess, parseAddress } from "./gateway-access.ts";
import { err, out } from "./standard-streams.ts";
import { untilStopped } from "./stop-signals.ts";
import { jsonOutput, lineOutput, terminalOutput, type WatchOutput } from "./watch/watch-output.ts";
import { type WatchEnd, watchUntilEnd } from "./watch/watch-until-end.ts";

interface Options {
  readonly url?: string;
  readonly json?: true;
  readonly after?: string;
  readonly timeout?: number;
}

/**
 * `telltale watch ID` shows an analysis until it ends: one line that is redrawn in a terminal, lines in a log, or with `--json`
 * its events. The exit code is 0 if it completed, 3 if it failed, 4 if it was cancelled, 1 if it could not be watched.
 */
export function addWatch(command: Command): void {
  command
    .description("shows how an analysis is doing until it ends; the exit code is its verdict")
    .argument("<id>", "UUID of the analysis", parseId)
    .option("--url <address>", "the gateway, as https://telltale.example", parseAddress)
    .option("--json", "writes each event as one JSON object a line, first those that are kept")
    .option("--after <event_id>", "with --json: only the events after this one")
    .option("--timeout <time>", "gives up after 90s, 15m, 1h, 7d", parseDuration)
    .addHelpText("after", ACCESS_HELP)
    .action(async (id: string, options: Options) => {
      if (options.after !== undefined && options.json === undefined)
        command.error("error: --after needs --json");
      await watch(id, options);
    });
  addExamples(
    command,
    ["telltale watch $ID", "a bar, the stage and the time left"],
    ["telltale watch $ID --json | jq -r .message", "for scripts: every event that is kept, and what follows"],
    ["telltale watch $ID --timeout 1h && ./publish-report", "goes on only if the analysis completed"],
  );
}

async function watch(analysisId: string, { url, json, after, timeout }: Options): Promise<void> {
  // In production nobody may watch by default; whoever has the key may.
  const access = await gatewayAccess(url, { user: "telltale-watch", analyses: [analysisId], scopes: [] });
  const { signal, judge, dispose } = untilStopped(timeout);
  try {
    const end = await watchUntilEnd({
      access,
      analysisId,
      output: json ? jsonOutput(out, err) : outputForHere(),
      whole: json ? { after } : undefined,
      signal,
    });
    judge("the analysis did not end in time");
    judgeEnd(end);
  } finally {
    dispose();
  }
}

function judgeEnd(end: WatchEnd): void {
  switch (end.kind) {
    case "ended":
      if (end.status === "completed") return;
      if (end.status === "failed") throw new CommandFailed(EXIT.analysisFailed);
      if (end.status === "cancelled") throw new CommandFailed(EXIT.analysisCancelled);
      throw new CommandFailed(EXIT.notDone, "the analysis ended, and the gateway does not say how");
    case "refused": {
      const meaning = closeCodeOf(end.code)?.meaning ?? "no WebSocket can be opened";
      throw new CommandFailed(EXIT.notDone, `the gateway refuses: ${meaning} (${end.code} ${end.reason})`);
    }
    case "stopped":
      throw new CommandFailed(EXIT.notDone);
  }
}

function outputForHere(): WatchOutput {
  const { stdout, env } = process;
  if (!stdout.isTTY || env.TERM === "dumb") return lineOutput(out, err);
  // https://no-color.org: any text but an empty one.
  return terminalOutput(out, () => stdout.columns || 80, (env.NO_COLOR ?? "") === "");
}

function parseId(text: string): string {
  const id = parseAnalysisId(text);
  if (id === undefined) throw new InvalidArgumentError(`${JSON.stringify(text)} is not a UUID.`);
  return id;
}
