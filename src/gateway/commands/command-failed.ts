import { readFileSync } from "node:fs";
import { type Config, loadConfig } from "../config/config.ts";
import type { SettingInForce } from "../config/in-force.ts";
import { EXIT } from "./exit-codes.ts";

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
  return readWholeConfig(variables, note).config;
}

/** As `readConfig`, with each setting and where it comes from. */
export function readWholeConfig(
  variables: Readonly<Record<string, string | undefined>>,
  note: (text: string) => void,
): { readonly config: Config; readonly inForce: readonly SettingInForce[] } {
  const loaded = loadConfig(variables, (path) => readFileSync(path, "utf8"));
  for (const text of loaded.notes) note(text);
  if (loaded.ok) return loaded;
  const lines = loaded.faults.map(({ name, message }) => `${name}: ${message}`);
  throw new CommandFailed(EXIT.configuration, lines.join("\n"));
}
