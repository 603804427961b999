import type { Command } from "commander";
import { reasonOf } from "../../application/errors.ts";
import { reachable } from "../reachable.ts";
import { CommandFailed, readConfig } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { EXIT } from "./exit-codes.ts";

const PATIENCE_MS = 3_000;

/** `telltale health`: the health check of a container, whose image has neither a shell nor curl. */
export function addHealth(command: Command): void {
  addExamples(
    command,
    ["telltale health", "exits with 0 if the gateway is alive"],
    ["PORT=8080 telltale health", "of a gateway on another port"],
  );
  command
    .description(
      "asks the gateway on this machine whether it is alive; run it with the gateway's environment",
    )
    .action(async () => {
      // The notes of the configuration were said when the gateway started.
      const { host, port } = readConfig(process.env);
      await askHealth(`http://${reachable(host)}:${port}/health`);
    });
}

async function askHealth(url: string): Promise<void> {
  let status: number;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    status = response.status;
    if (response.ok) return;
  } catch (error) {
    throw new CommandFailed(EXIT.notDone, `${url} did not answer: ${reasonOf(error)}`);
  }
  throw new CommandFailed(EXIT.notDone, `${url} answered ${status}`);
}
