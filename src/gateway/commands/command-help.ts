import type { Command } from "commander";
import { EXIT_CODES } from "./exit-codes.ts";

/** One line to type, and its effect. */
export type Example = readonly [line: string, effect: string];

/** Adds examples to the help of a command. */
export function addExamples(command: Command, ...examples: readonly Example[]): Command {
  return command.addHelpText("after", `\nExamples:\n${rows(examples)}`);
}

/** The exit codes as a paragraph of a help text. */
export function exitCodesForHelp(): string {
  return `Exit codes:\n${rows(EXIT_CODES)}`;
}

/** Two columns, indented as the other lists of a help text. */
function rows(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([first]) => first.length));
  return pairs.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`).join("\n");
}
