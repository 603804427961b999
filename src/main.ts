#!/usr/bin/env bun
import { CommandFailed, readConfig } from "./gateway/commands/command-failed.ts";
import { runCommandLine } from "./gateway/commands/command-line.ts";
import { err, out } from "./gateway/commands/standard-streams.ts";
import type { RunningGateway } from "./gateway/start.ts";
import { StopRequests } from "./gateway/stop-requests.ts";

const exitCode = await runCommandLine(process.argv.slice(2), serve);
// A gateway that serves ends by a signal.
if (exitCode !== undefined) process.exit(exitCode);

/** Starts a gateway that serves until a signal ends the process. */
async function serve(): Promise<void> {
  const notes: string[] = [];
  const config = configuration(notes);
  let gateway: RunningGateway | undefined;
  endOnSignal(() => gateway);
  try {
    // The other words load no server: `telltale health` runs every few seconds.
    const { startGateway } = await import("./gateway/start.ts");
    gateway = await startGateway(config, undefined, notes);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const reason = `Telltale could not start: ${error instanceof Error ? error.message : String(error)}`;
    // A line like those of the log, whose reader may take nothing else.
    const line = { level: "error", time: new Date().toISOString(), msg: reason };
    throw new Error(config.logFormat === "json" ? JSON.stringify(line) : reason);
  }
  out(`Telltale answers at ${gateway.url}\n`);
}

/** Adds what the operator should know to `notes`, for the log. Without a configuration there is no log. */
function configuration(notes: string[]) {
  try {
    return readConfig(process.env, (note) => notes.push(note));
  } catch (error) {
    for (const note of notes) err(note);
    throw error;
  }
}

/** The first signal drains the gateway if it has started. The second one sends its clients away, and ends it at once. */
function endOnSignal(started: () => RunningGateway | undefined): void {
  const requests = new StopRequests();
  const end = (signal: "SIGINT" | "SIGTERM") => {
    const running = started();
    // A gateway that still waits for its broker serves nobody who could miss a goodbye.
    if (running === undefined) process.exit(0);
    const asked = requests.next(signal, performance.now());
    if (asked === undefined) return;
    const ended = asked === "drain" ? running.drain(signal) : running.endNow(signal);
    ended.then(
      () => process.exit(0),
      (error: unknown) => {
        err(`Telltale could not end cleanly after ${signal}: ${String(error)}`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => end("SIGTERM"));
  process.on("SIGINT", () => end("SIGINT"));
}
