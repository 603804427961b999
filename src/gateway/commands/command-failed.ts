import { readFileSync } from "node:fs";
import { type Config, loadConfig } from "../config/config.ts";

/** The exit codes that scripts may rely on, beside 0 for success. `configuration` is EX_CONFIG of sysexits. */
export const EXIT = { notDone: 1, usage: 2, configuration: 78 } as const;

/** Ends a command with an exit code. The message is written to standard error, unless it is empty. */
export class CommandFailed extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message = "") {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Reads the configuration from these environment variables. Throws `CommandFailed` with code 78 and one line for each
 * fault. `note` is called with each advice to the operator, also if there are faults.
 */
export function readConfig(
  variables: Readonly<Record<string, string | undefined>>,
  note: (text: string) => void = () => {},
): Config {
  const loaded = loadConfig(variables, (path) => readFileSync(path, "utf8"));
  for (const text of loaded.notes) note(text);
  if (loaded.ok) return loaded.config;
  const lines = loaded.faults.map(({ name, message }) => `${name}: ${message}`);
  throw new CommandFailed(EXIT.configuration, lines.join("\n"));
}
