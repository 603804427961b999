#!/usr/bin/env bun
import { CommandFailed, readConfig } from "./gateway/commands/command-failed.ts";
import { runCommandLine } from "./gateway/commands/command-line.ts";
import { type RunningGateway, startGateway } from "./gateway/start.ts";

const exitCode = await runCommandLine(process.argv.slice(2), serve);
// A gateway that serves ends by a signal.
if (exitCode !== undefined) process.exit(exitCode);

/** Starts a gateway that serves until a signal ends the process. */
async function serve(): Promise<void> {
  const config = readConfig(process.env, console.error);
  let gateway: RunningGateway | undefined;
  endOnSignal(() => gateway);
  try {
    gateway = await startGateway(config);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    throw new Error(`Telltale could not start: ${error instanceof Error ? error.message : String(error)}`);
  }
  console.log(`Telltale answers at ${gateway.url}`);
}

/** The first signal drains the gateway if it has started. A second signal ends the process at once. */
function endOnSignal(started: () => RunningGateway | undefined): void {
  let ending = false;
  const end = (signal: string) => {
    if (ending) process.exit(1);
    ending = true;
    const running = started();
    // A gateway that still waits for its broker serves nobody who could miss a goodbye.
    if (running === undefined) process.exit(0);
    running.drain().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`Telltale could not end cleanly after ${signal}: ${String(error)}`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => end("SIGTERM"));
  process.on("SIGINT", () => end("SIGINT"));
}
